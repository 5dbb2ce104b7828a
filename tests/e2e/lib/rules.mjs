// Small checks from which the simulators build their providers' rules.

// What the provider answers when it refuses a request.
export class Refusal extends Error {
  constructor(message, { status = 400, param = null, code = null } = {}) {
    super(message);
    Object.assign(this, { status, param, code });
  }
}

export function refuse(message, extra) {
  throw new Refusal(message, extra);
}

export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
export const isText = (value) => typeof value === 'string' && value.length > 0;
export const isInteger = (low, high = Infinity) => (value) => Number.isInteger(value) && value >= low && value <= high;
export const isNumber = (low, high) => (value) => typeof value === 'number' && value >= low && value <= high;
export const isBoolean = (value) => typeof value === 'boolean';
export const isString = (value) => typeof value === 'string';
export const oneOf = (...words) => (value) => words.includes(value);
export const isList = (least, item = () => true, most = Infinity) => (value) =>
  Array.isArray(value) && value.length >= least && value.length <= most && value.every((entry) => item(entry) !== false);

// Holds an object to a table of fields: name to check, or [check, 'required']. `unknown(name)` gives the message for a
// field that the table lacks.
export function fields(value, where, table, unknown) {
  if (!isObject(value)) refuse(`${where}: must be an object`, { param: where });
  for (const [name, member] of Object.entries(value)) {
    const rule = table[name];
    const at = where ? `${where}.${name}` : name;
    if (!rule) refuse(unknown(at), { param: at });
    const check = Array.isArray(rule) ? rule[0] : rule;
    if (check(member, at) === false) refuse(`Invalid value for '${at}': ${JSON.stringify(member)?.slice(0, 80)}`, { param: at, code: 'invalid_value' });
  }
  for (const [name, rule] of Object.entries(table)) {
    if (Array.isArray(rule) && !(name in value)) {
      const at = where ? `${where}.${name}` : name;
      refuse(`Missing required parameter: '${at}'.`, { param: at, code: 'missing_required_parameter' });
    }
  }
}

// A member given twice is legal JSON that JSON.parse hides; readers disagree on which one counts.
export function hasDoubleMember(text) {
  const names = [];
  for (const token of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g)) {
    if (token[0] === '{') names.push(new Set());
    else if (token[0] === '}') names.pop();
    else if (token[1] !== undefined) {
      const name = JSON.parse(token[0].slice(0, token[0].lastIndexOf('"') + 1));
      if (names.at(-1).has(name)) return name;
      names.at(-1).add(name);
    }
  }
  return false;
}

const kDataUrl = /^data:([a-z]+\/[a-z0-9.+-]+);base64,([A-Za-z0-9+/]+={0,2})$/;

export const isBase64 = (text) => isText(text) && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);

// https, or a data URL of one of these media types.
export function isMediaUrl(url, types) {
  if (typeof url !== 'string') return false;
  if (url.startsWith('https://')) return true;
  const parts = kDataUrl.exec(url);
  return parts !== null && types.includes(parts[1]) && isBase64(parts[2]);
}

// A function's schema as both providers want it.
export function isSchema(value) {
  return isObject(value) && value.type === 'object';
}

// Structured output and strict tools: every object closed, every property required.
export function isStrictSchema(schema) {
  if (!isObject(schema)) return false;
  if (schema.type === 'object' || schema.properties) {
    if (schema.additionalProperties !== false) return false;
    const names = Object.keys(schema.properties ?? {});
    if (names.some((name) => !(schema.required ?? []).includes(name))) return false;
    if (!names.every((name) => isStrictSchema(schema.properties[name]))) return false;
  }
  return schema.items === undefined || isStrictSchema(schema.items);
}
