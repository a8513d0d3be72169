// The page's functions that need no browser: bundled from static/src and called directly.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../static/', import.meta.url))

async function load(name) {
  const esbuild = createRequire(root)('esbuild')
  const built = await esbuild.build({ entryPoints: [`${root}src/lib/${name}.ts`], bundle: true, format: 'esm', write: false })
  return import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].text).toString('base64')}`)
}

export const pure = [
  {
    name: 'JSON keeps digits, order, duplicates and escapes',
    async run() {
      const { parse, layout, compact } = await load('json')
      const same = ['{"b":1.0,"a":-0.1e400,"a":23958446825181076828}', '[]', '{}', '"\\uD55C\\n"', 'null', '[[],{"":[]}]', '{"__proto__":1}']
      for (const text of same) assert.equal(compact(parse(text)), text)
      assert.equal(layout(parse('{"a":[1,{}],"b":{}}')).map((token) => token.text).join(''), '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": {}\n}')
      const wrong = ['', '{', '}', '[1,]', '{"a"}', '{"a":}', '{,}', '[1 2]', '01', '1.', '"a', '"\n"', '"\\x"', '{"a":1,}', '1 2', '[}', 'nul', ':', '{1:2}', '["a":1]']
      for (const text of wrong) assert.equal(parse(text), null, text)
      assert.equal(parse('['.repeat(600) + ']'.repeat(600)), null)
      assert.equal(compact(parse(`"${'x'.repeat(5_000_000)}"`)).length, 5_000_002)
    },
  },
  {
    name: 'a trace begins with its cause',
    async run() {
      const { told } = await load('trace')
      const trace = 'a.ConnectException: Tolerance exceeded in error handler\n\tat x\nCaused by: b.DataException: outer\n\tat y\nCaused by: c.ParseException: the fault\n\t... 2 more'
      assert.deepEqual(told(trace), { first: 'c.ParseException: the fault', rest: trace })
      assert.deepEqual(told('a.B: x\n\tat y'), { first: 'a.B: x', rest: '\tat y' })
      assert.deepEqual(told('a.B: x'), { first: 'a.B: x', rest: '' })
    },
  },
  {
    name: 'semantic values are decoded from their digits',
    async run() {
      const { read } = await load('semantic')
      const decimal = (raw, scale) => read({ kind: 'string', raw: JSON.stringify(raw) }, { name: 'org.apache.kafka.connect.data.Decimal', scale })
      assert.equal(decimal('K9g=', 2), '112.24')
      assert.equal(decimal('/w==', 2), '-0.01')
      assert.equal(decimal('AQ==', 0), '1')
      assert.equal(decimal('AQ==', -2), '100')
      assert.equal(decimal('%%', 2), null)
      const number = (raw, name) => read({ kind: 'number', raw }, { name, scale: 0 })
      assert.equal(number('-1', 'io.debezium.time.Date'), '1969-12-31')
      assert.equal(number('1700000000123456', 'io.debezium.time.MicroTimestamp'), '2023-11-14 22:13:20.123456')
      assert.equal(number('-1', 'io.debezium.time.Timestamp'), '1969-12-31 23:59:59.999')
      assert.equal(number('3723000001', 'io.debezium.time.MicroTime'), '01:02:03.000001')
      assert.equal(number('9223372036854775807', 'io.debezium.time.Timestamp'), null)
      assert.equal(number('1.5', 'io.debezium.time.Timestamp'), null)
    },
  },
  {
    name: 'change events are found with and without schema, and compared by column',
    async run() {
      const { changeOf, columnsOf } = await load('change')
      const plain = { before: { id: 1, a: 'x', gone: 1 }, after: { id: 1, a: 'y', big: '__debezium_unavailable_value' }, source: {}, op: 'u' }
      for (const value of [plain, { schema: { type: 'struct', fields: [] }, payload: plain }]) {
        const status = Object.fromEntries(columnsOf(changeOf(JSON.stringify(value))).map((column) => [column.name, column.status]))
        assert.deepEqual(status, { id: 'same', a: 'changed', big: 'added', gone: 'removed' })
      }
      const mongo = columnsOf(changeOf(JSON.stringify({ before: null, after: '{"_id": {"$oid": "1"}, "n": 1}', source: {}, op: 'c' })))
      assert.deepEqual(mongo.map((column) => column.name), ['_id', 'n'])
      for (const other of [null, '', 'x', '[]', '{"op":"u"}', '{"op":"x","source":{}}', '{"op":1,"source":{}}']) assert.equal(changeOf(other), null)
    },
  },
  {
    name: 'hidden characters become escapes, others stay',
    async run() {
      const { pieces } = await load('visible')
      const shown = (text) => pieces(text).map((piece) => (piece.hidden ? `<${piece.text}>` : piece.text)).join('')
      assert.equal(shown('a\u202Eb\u0000\u200B\uFEFF\n\t한😀'), 'a<\\u202E>b<\\u0000><\\u200B><\\uFEFF>\n\t한😀')
      assert.equal(shown('\uD83D x'), '<\\uD83D> x')
      assert.ok(pieces('\u0001'.repeat(100_000)).length < 1000)
    },
  },
]
