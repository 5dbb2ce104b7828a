// What the kernel says of a process: CPU time, memory, descriptors.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

const kTick_ms = 10; // sysconf(_SC_CLK_TCK) is 100 on every Linux that matters.

// User and system time in milliseconds.
export function cpu_ms(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * kTick_ms;
}

function status_KiB(pid, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);
}

export const rss_KiB = (pid) => status_KiB(pid, 'VmRSS');
export const peak_KiB = (pid) => status_KiB(pid, 'VmHWM');

// The peak starts anew from what is resident now.
export function resetPeak(pid) { writeFileSync(`/proc/${pid}/clear_refs`, '5'); }

export const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

// CPU use while `body` runs, as a share of one core.
export async function cpuShare(pid, body) {
  const [before_ms, began] = [cpu_ms(pid), performance.now()];
  await body();
  return (cpu_ms(pid) - before_ms) / (performance.now() - began);
}

export const isSanitized = /asan|tsan|ubsan|sanitize/.test(process.env.SWITCHYARD ?? '') || Number(process.env.SWITCHYARD_SLOW ?? 1) > 1;
