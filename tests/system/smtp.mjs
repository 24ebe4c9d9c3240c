// SPDX-License-Identifier: Apache-2.0
// A mail server of the tests' own (smtp-server, by the author of Nodemailer): TLS, sign-in, and every message parsed by mailparser.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { freePorts, until } from './lib.mjs';

const USER = 'reeve', PASSWORD = 'a password with "quotes" and ü';

export class MailServer {
  static async make(dir) {
    const m = new MailServer();
    const f = name => path.join(dir, name);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('smtp.key'), '-out', f('smtp.pem'), '-subj', '/CN=mail', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '400'], { stdio: 'ignore' });
    fs.writeFileSync(f('smtp.password'), PASSWORD, { mode: 0o600 });
    Object.assign(m, { dir, mails: [], port: await freePorts(), refuse: null });
    return m;
  }
  // options: of smtp-server.  refuse: what RCPT answers, as long as it is set.
  async start({ host = '127.0.0.1', ...options } = {}) {
    this.server = new SMTPServer({
      key: fs.readFileSync(path.join(this.dir, 'smtp.key')), cert: fs.readFileSync(path.join(this.dir, 'smtp.pem')), authMethods: ['PLAIN', 'LOGIN'], logger: false, closeTimeout: 500,
      onAuth: (auth, session, done) => done(...(auth.username === USER && auth.password === PASSWORD ? [null, { user: USER }] : [new Error('no')])),
      onRcptTo: (address, session, done) => (this.refuse ? done(Object.assign(new Error(`no ${address.address} here`), { responseCode: this.refuse })) : done()),
      onData: (stream, session, done) => {
        const parts = [];
        stream.on('data', d => parts.push(d));
        stream.on('end', async () => {
          const raw = Buffer.concat(parts);
          const mail = await simpleParser(raw);
          this.mails.push({ ...mail, raw, sha256: crypto.createHash('sha256').update(raw).digest('base64'), secure: session.secure, user: session.user, from: mail.from, envelope: session.envelope });
          done();
        });
      }, ...options });
    this.server.on('error', () => {});
    await new Promise(r => this.server.listen(this.port, host, r));
  }
  stop() { return new Promise(r => this.server.close(r)); }
  settings(more = '') {
    return `\nsmtp_url = smtp://127.0.0.1:${this.port}\nsmtp_user = ${USER}\nsmtp_password_file = ${this.dir}/smtp.password\nsmtp_from = privacy@acme.example\nsmtp_ca_file = ${this.dir}/smtp.pem\n${more}`;
  }
  // The newest letter to an address whose text matches.
  async letter(to, what, seconds = 30) {
    return until(`a letter to ${to} (${what})`, () => this.mails.findLast(m => m.envelope.rcptTo[0].address === to && what.test(`${m.subject}\n${m.text}`)), { seconds });
  }
  // The next code that was sent to an address and not asked for here yet.
  async code(to) {
    const mail = await until(`a code for ${to}`, () => this.mails.find(m => !m.read && m.envelope.rcptTo[0].address === to && /Your code is/.test(m.text)));
    mail.read = true;
    const code = /Your code is (\d{8})\./.exec(mail.text);
    assert.ok(code, mail.text);
    return code[1];
  }
}
