// How simulators cut their answers.
export const halves = (text) => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)];

// Pieces of 1, 2, 3, 5, 8, ... characters, never within a character.
export function odd(text) {
  const characters = [...text];
  const pieces = [];
  for (let at = 0, size = 1, next = 2; at < characters.length; [size, next] = [next, size + next]) {
    pieces.push(characters.slice(at, at + size).join(''));
    at += size;
  }
  return pieces;
}
