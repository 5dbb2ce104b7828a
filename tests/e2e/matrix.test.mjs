// Every client dialect through every kind of provider with the real SDKs, and conversations that change the provider on
// their way. What the cells do is in matrix.mjs; docs/matrix.md shows what came out (UPDATE_DOCS=1 writes it anew).
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test as nodeTest } from 'node:test';
import { clientTypes } from './lib/matrix_clients.mjs';
import { cells, markdown, roundTrip, runCell, startMatrix } from './matrix.mjs';
import { group, slow } from './lib/util.mjs';

let stand;
const outcomes = [];
before(async () => { stand = await startMatrix(); });
after(() => stand?.stop());

const options = { timeout: 30_000 * slow };

group('the matrix', 8, () => {
  for (const cell of cells) {
    const outcome = { ...cell, passed: false };
    outcomes.push(outcome);
    if (cell.impossible) continue;
    nodeTest(`${cell.client} → ${cell.provider}: ${cell.feature}`, options, async () => {
      await runCell(stand, cell);
      outcome.passed = true;
    });
  }
});

const signing = ['responses', 'anthropic', 'gemini', 'bedrock'];
group('a conversation goes from A to B and back', 8, () => {
  for (const client of Object.keys(clientTypes).filter((name) => name !== 'completions')) {
    for (const a of signing) {
      for (const b of [...signing, 'chat', 'cohere'].filter((name) => name !== a)) {
        for (const stream of [false, true]) {
          nodeTest(`${client}: ${a} → ${b} → ${a}, ${stream ? 'streamed' : 'whole'}`, options, () => roundTrip(stand, client, a, b, stream));
        }
      }
    }
  }
});

nodeTest('docs/matrix.md shows what came out', async () => {
  const page = new URL('../../docs/matrix.md', import.meta.url);
  const shown = await readFile(page, 'utf8');
  const table = markdown(outcomes);
  const [head] = shown.split('\n| client |');
  const made = `${head}\n${table}`;
  if (process.env.UPDATE_DOCS) await writeFile(page, made);
  else assert.equal(shown, made, 'docs/matrix.md is of another day');
});

nodeTest('nothing of what providers refuse was sent', () => {
  for (const [name, sim] of Object.entries(stand.sims)) assert.deepEqual(sim.takeViolations(), [], name);
});
