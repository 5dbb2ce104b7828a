// TLS toward applications and toward providers: who is trusted, who is not, and what a reload does to certificates.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { after, before, describe } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { fetchRaw, test, until } from './lib/util.mjs';

const folder = mkdtempSync(path.join(tmpdir(), 'switchyard-tls-'));
const file = (name) => path.join(folder, name);
const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

function makeAuthority(name) {
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-keyout', `${name}.key`, '-out', `${name}.pem`);
}

function makeCertificate(name, authority, alternative) {
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  writeFileSync(file(`${name}.ext`), `subjectAltName=${alternative}`);
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', '2',
    '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

const reply = JSON.stringify({
  id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'over TLS' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

function startProvider(certificate) {
  const server = https.createServer({ cert: readFileSync(file(`${certificate}.pem`)), key: readFileSync(file(`${certificate}.key`)) }, (request, response) => {
    server.seen = (server.seen ?? 0) + 1;
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end(reply));
  });
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server)); });
}

const ask = (model) => JSON.stringify({ model, messages: [{ role: 'user', content: 'Hi' }] });

// One request to the TLS port of the gateway.
function askOverTls(port, model, ca) {
  return new Promise((resolve, reject) => {
    const request = https.request({ host: '127.0.0.1', port, path: '/v1/chat/completions', method: 'POST', ca: readFileSync(file(`${ca}.pem`)), agent: false,
      headers: { 'content-type': 'application/json' } }, (response) => {
      let text = '';
      const certificate = response.socket.getPeerCertificate().subject.CN;
      response.on('data', (piece) => { text += piece; }).on('end', () => resolve({ status: response.statusCode, text, certificate }));
    });
    request.on('error', reject).end(ask(model));
  });
}

describe('TLS', () => {
  let providers, gateway;

  before(async () => {
    makeAuthority('ours');
    makeAuthority('theirs');
    makeCertificate('right', 'ours', 'IP:127.0.0.1,DNS:localhost');
    makeCertificate('wrong-host', 'ours', 'DNS:elsewhere.example');
    makeCertificate('foreign', 'theirs', 'IP:127.0.0.1');
    makeCertificate('first', 'ours', 'IP:127.0.0.1');
    makeCertificate('second', 'ours', 'IP:127.0.0.1');
    providers = Object.fromEntries(await Promise.all(['right', 'wrong-host', 'foreign'].map(async (name) => [name, await startProvider(name)])));
    const provider = (name, host = '127.0.0.1') =>
      ({ type: 'openai_compatible', base_url: `https://${host}:${providers[name].address().port}/v1`, ca_file: file('ours.pem'), api_key: 'k' });
    writeFileSync(file('live.pem'), readFileSync(file('first.pem')));
    writeFileSync(file('live.key'), readFileSync(file('first.key')));
    gateway = await Gateway.start({
      providers: {
        right: provider('right'), named: provider('right', 'localhost'), wrong_host: provider('wrong-host'), foreign: provider('foreign'),
        untold: { ...provider('right'), ca_file: undefined },
      },
      models: Object.fromEntries(['right', 'named', 'wrong_host', 'foreign', 'untold'].map((name) => [name, { targets: [{ provider: name, model: 'm' }] }])),
    });
  });

  after(async () => {
    await gateway?.stop();
    for (const server of Object.values(providers ?? {})) server.closeAllConnections(), server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = (model) => fetchRaw(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: ask(model) });

  for (const name of ['right', 'named']) {
    test(`a provider with a certificate of the configured authority serves (${name})`, async () => {
      const answer = await send(name);
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.text, /over TLS/);
    });
  }

  for (const [name, server] of [['wrong_host', 'wrong-host'], ['foreign', 'foreign'], ['untold', 'right']]) {
    test(`a provider that cannot prove who it is gets no request (${name})`, async () => {
      const before_count = providers[server].seen ?? 0;
      const answer = await send(name);
      assert.equal(answer.status, 502, answer.text);
      assert.match(answer.text, /TLS/);
      assert.equal(providers[server].seen ?? 0, before_count);
    });
  }

  test('listen speaks TLS, and a reload takes the new certificate without closing a connection', async () => {
    const config = { providers: { right: gatewayProvider() }, models: { right: { targets: [{ provider: 'right', model: 'm' }] } } };
    const secure = await startSecure(config);
    try {
      const first = await askOverTls(secure.port, 'right', 'ours');
      assert.deepEqual([first.status, first.certificate], [200, 'first']);
      await assert.rejects(askOverTls(secure.port, 'right', 'theirs'), /certificate|CERT|self.signed|issuer/i);
      const kept = tls.connect({ host: '127.0.0.1', port: secure.port, ca: readFileSync(file('ours.pem')) });
      await new Promise((resolve, reject) => { kept.on('secureConnect', resolve).on('error', reject); });
      writeFileSync(file('live.pem'), readFileSync(file('second.pem')));
      writeFileSync(file('live.key'), readFileSync(file('second.key')));
      assert.equal((await secure.reload()).status, 200);
      await until('the new certificate is shown', async () => (await askOverTls(secure.port, 'right', 'ours')).certificate === 'second');
      let text = '';
      kept.on('data', (piece) => { text += piece; });
      const body = ask('right');
      kept.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      await until('the kept connection answers', () => /over TLS/.test(text));
      kept.destroy();
    } finally {
      await secure.stop();
    }
  });

  test('plain HTTP to a TLS port gets no answer and harms nobody', async () => {
    const secure = await startSecure({ providers: { right: gatewayProvider() }, models: { right: { targets: [{ provider: 'right', model: 'm' }] } } });
    try {
      await assert.rejects(fetchRaw(`${secure.url}/v1/models`));
      assert.equal((await askOverTls(secure.port, 'right', 'ours')).status, 200);
    } finally {
      await secure.stop();
    }
  });

  const gatewayProvider = () => ({ type: 'openai_compatible', base_url: `https://127.0.0.1:${providers.right.address().port}/v1`, ca_file: file('ours.pem') });

  function startSecure(config) {
    const text = JSON.stringify({ version: 1, server: { listen: '${LISTEN}', admin: '${ADMIN}', tls: { certificate: file('live.pem'), private_key: file('live.key') } }, ...config });
    return Gateway.start(text);
  }
});
