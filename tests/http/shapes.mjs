// SPDX-License-Identifier: MIT
// Requests whose framing two parsers could read differently, and what would be smuggled behind them.
export const smuggled = 'POST /ring HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
export const bodies = { chunk: '3\r\nabc\r\n0\r\n\r\n', plain: '{"a"', none: '' };
export const shapes = {
    'two lengths': 'Content-Length: 4\r\nContent-Length: 40\r\n',
    'two equal lengths': 'Content-Length: 4\r\nContent-Length: 4\r\n',
    'a list of lengths': 'Content-Length: 4, 4\r\n',
    'length, then chunked': 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
    'chunked, then length': 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
    'chunked twice': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
    'identity, then chunked': 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n',
    'gzip, chunked': 'Transfer-Encoding: gzip, chunked\r\n',
    'chunked, identity': 'Transfer-Encoding: chunked, identity\r\n',
    xchunked: 'Transfer-Encoding: xchunked\r\n',
    'space before the colon': 'Transfer-Encoding : chunked\r\n',
    'tab before the colon': 'Content-Length\t: 4\r\n',
    'vertical tab in the value': 'Transfer-Encoding: \x0bchunked\r\n',
    'bare CR in the value': 'Transfer-Encoding: chun\rked\r\n',
    'empty encoding': 'Transfer-Encoding:\r\n',
    'empty length': 'Content-Length:\r\n',
    'signed length': 'Content-Length: +4\r\n',
    'negative length': 'Content-Length: -4\r\n',
    'hex length': 'Content-Length: 0x4\r\n',
    'huge length': 'Content-Length: 18446744073709551616\r\n',
    'huge length that wraps': 'Content-Length: 18446744073709551620\r\n',
    'length folded': 'Content-Length: 4\r\n 0\r\n',
    'encoding folded': 'Transfer-Encoding:\r\n chunked\r\n',
};
