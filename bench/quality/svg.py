"""Plots as SVG, with nothing but Python: lines and bars over linear or logarithmic axes."""

import math
from html import escape

COLOURS = ["#1f5fa8", "#c8501e", "#3b8a3e", "#7a4aa0", "#98751b", "#44898f", "#a33a5b", "#666666", "#222222"]
WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 55


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Axis:
    def __init__(self, low, high, length, logarithmic):
        self.logarithmic = logarithmic
        self.low, self.high = (math.log10(low), math.log10(high)) if logarithmic else (low, high)
        self.length = length

    def at(self, value):
        if self.logarithmic:
            value = math.log10(max(value, 10 ** self.low))
        return (value - self.low) / (self.high - self.low) * self.length

    def ticks(self):
        if self.logarithmic:
            return [10.0 ** e for e in range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1)]
        rough = (self.high - self.low) / 6
        step = 10 ** math.floor(math.log10(rough))
        step = next(step * m for m in (1, 2, 5, 10) if step * m >= rough)
        first = math.ceil(self.low / step - 1e-9)
        return [step * i for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Plot:
    def __init__(self, title, x_label, y_label, x, y):
        """x, y: (low, high, whether logarithmic)."""
        self.x = Axis(x[0], x[1], WIDTH - LEFT - RIGHT, x[2])
        self.y = Axis(y[0], y[1], HEIGHT - TOP - BOTTOM, y[2])
        self.parts, self.legend = [], []
        self._frame(title, x_label, y_label)

    def _point(self, x, y):
        return LEFT + self.x.at(x), HEIGHT - BOTTOM - self.y.at(y)

    def _text(self, x, y, text, anchor="middle", size=12, extra=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{extra}>{escape(text)}</text>')

    def _line(self, x1, y1, x2, y2, colour, width=1.0, extra=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"{extra}/>')

    def _frame(self, title, x_label, y_label):
        self._text(LEFT, 22, title, "start", 15)
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for tick in self.y.ticks():
            y = bottom - self.y.at(tick)
            self._line(LEFT, y, right, y, "#dddddd")
            self._text(LEFT - 6, y + 4, number(tick), "end")
        for tick in self.x.ticks():
            x = LEFT + self.x.at(tick)
            self._line(x, bottom, x, bottom + 4, "#444444")
            self._text(x, bottom + 18, number(tick))
        self._line(LEFT, bottom, right, bottom, "#444444")
        self._line(LEFT, TOP, LEFT, bottom, "#444444")
        self._text((LEFT + right) / 2, HEIGHT - 12, x_label)
        self._text(18, (TOP + bottom) / 2, y_label, extra=f' transform="rotate(-90 18 {(TOP + bottom) / 2:.0f})"')

    def _name(self, name, colour, dashed):
        y = TOP + 12 + 19 * len(self.legend)
        self.legend.append(name)
        extra = ' stroke-dasharray="5 3"' if dashed else ""
        self._line(WIDTH - RIGHT + 12, y - 4, WIDTH - RIGHT + 36, y - 4, colour, 2.5, extra)
        self._text(WIDTH - RIGHT + 42, y, name, "start", 11)

    def line(self, name, points, colour, dashed=False, marks=True, width=2.0):
        extra = ' stroke-dasharray="5 3"' if dashed else ""
        at = [self._point(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{extra}/>')
        if marks:
            self.parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at)
        self._name(name, colour, dashed)

    def marks(self, name, points, colour):
        for x, y in (self._point(*p) for p in points):
            self.parts.append(f'<path d="M{x - 4:.1f} {y:.1f}h8M{x:.1f} {y - 4:.1f}v8" stroke="{colour}" stroke-width="1.6"/>')
        self._name(name, colour, False)

    def level(self, y, text):
        left, at = self._point(10 ** self.x.low if self.x.logarithmic else self.x.low, y)
        self._line(left, at, WIDTH - RIGHT, at, "#b00020", 1.2, ' stroke-dasharray="2 3"')
        self._text(WIDTH - RIGHT - 4, at - 5, text, "end", 11, ' fill="#b00020"')

    def save(self, path):
        body = "\n".join(self.parts)
        with open(path, "w", encoding="utf-8") as out:
            out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
                      f'fill="#222222">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n')
