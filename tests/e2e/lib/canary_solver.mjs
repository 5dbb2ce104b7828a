// Answers the canaries of four families, as a model would that can do them: memory, extraction, long_list and
// constraints. Undefined: not one of them, so an application's request.
const plain = (content) => (typeof content === 'string' ? content : content.map(({ text }) => text).join(''));

function memory(texts) {
  const known = /locker code is (\S+), .* on shelf (\S+), and/.exec(texts.find((text) => text.includes('locker code is')) ?? '');
  if (!known) return undefined;
  return /code/.test(texts.at(-1)) ? known[1] : known[2];
}

function extraction(text) {
  const rule = /exactly (\d) capital letters, then "(.)", then exactly (\d) digits/.exec(text);
  if (!rule) return undefined;
  const code = new RegExp(`(?<![A-Za-z])[A-Z]{${rule[1]}}${rule[2]}\\d{${rule[3]}}(?!\\d)`, 'g');
  return text.match(code).join(', ');
}

function longList(text) {
  const rule = /xactly (\d+) different English words that begin with the letter "(.)"/.exec(text);
  if (!rule) return undefined;
  const letter = (i) => String.fromCharCode(97 + (i % 26));
  return Array.from({ length: Number(rule[1]) }, (_, i) => `${rule[2]}${letter(i)}${letter(i / 26 | 0)}`).join('\n');
}

function constraints(text) {
  const count = /exactly (\d+) words|with (\d+) words exactly|Exactly (\d+) words/.exec(text);
  const word = /the word "(\w+)"/.exec(text);
  if (!count || !word) return undefined;
  const words = Number(count.slice(1).find(Boolean));
  return `${'oh '.repeat(words - 1)}${word[1]}.`;
}

export const families = ['memory', 'extraction', 'long_list', 'constraints'];

export function solve({ messages }) {
  const texts = messages.filter(({ role }) => role !== 'system').map(({ content }) => plain(content));
  const text = texts.at(-1);
  return memory(texts) ?? extraction(text) ?? longList(text) ?? constraints(text);
}
