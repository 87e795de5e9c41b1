import { expect, it } from '@jest/globals';
import { nextPart, orderedParts } from '../../src/cli/import-input.ts';

it('brings the parts of a file into their order', () => {
  expect(orderedParts(['/a/b.tar.003', '/usb/b.tar.001', '/a/b.tar.002'])).toEqual([
    '/usb/b.tar.001',
    '/a/b.tar.002',
    '/a/b.tar.003',
  ]);
});

it.each([
  [['b.tar.001', 'b.tar.003'], /part 002 of b\.tar is missing/],
  [['b.tar.002', 'b.tar.003'], /part 001 of b\.tar is missing/],
  [['b.tar.001', 'b.tar.001'], /part 001 of b\.tar is named twice/],
  [['b.tar.001', 'c.tar.002'], /parts of different files/],
  [['b.tar', 'c.tar'], /b\.tar is no part of a file/],
])('refuses %j', (files, message) => {
  expect(() => orderedParts(files)).toThrow(message);
});

it.each([
  [['/a/b.tar.002', '/a/b.tar.001'], 'b.tar.003'],
  [['b.tar.099'], 'b.tar.100'],
  [['b.tar'], undefined],
])('knows which part would come after %j', (files, next) => {
  expect(nextPart(files)).toBe(next);
});
