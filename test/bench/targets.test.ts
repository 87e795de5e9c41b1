import { describe, expect, it } from '@jest/globals';
import { Figures } from '../../bench/figures.ts';
import { blobRateMetric } from '../../bench/measure-blobs.ts';
import { coldMetrics } from '../../bench/measure-cold.ts';
import { pushMetrics } from '../../bench/measure-push.ts';
import { memoryMetric } from '../../bench/measure-memory.ts';
import { parseOptions } from '../../bench/options.ts';
import { report } from '../../bench/report.ts';
import { judge } from '../../bench/targets.ts';

const options = parseOptions(['--rounds', '2'], 'RESULTS.md');

function verdict(figures: Figures, claim: RegExp) {
  const found = judge(figures, options).filter((target) => claim.test(target.claim));
  expect(found).toHaveLength(1);
  return found[0]!;
}

function warmBlobs(baleen: number[], nginx: number[], registry: number[]): Figures {
  const figures = new Figures();
  const metric = blobRateMetric(8);
  for (const [round, value] of baleen.entries()) figures.add(metric, 'baleen', round, value);
  for (const [round, value] of nginx.entries()) figures.add(metric, 'nginx', round, value);
  for (const [round, value] of registry.entries()) {
    figures.add(metric, 'docker-registry', round, value);
  }
  return figures;
}

describe('bench targets', () => {
  it('holds warm blobs against the better peer of each round', () => {
    const claim = /8 connections.*better peer/;
    const ahead = verdict(warmBlobs([4, 2], [3, 1], [2, 2]), claim);
    expect(ahead.holds).toBe(true);
    expect(ahead.measured?.min).toBe(1);
    expect(verdict(warmBlobs([4, 2], [5, 1], [2, 3]), claim).holds).toBe(false);
  });

  it('compares the last client with the direct transfer of its round', () => {
    const figures = new Figures();
    const { last } = coldMetrics(100);
    figures.add(last, 'direct', 0, 2);
    figures.add(last, 'baleen', 0, 2.4);
    const { measured, holds } = verdict(figures, /^100 clients.*last client/);
    expect(measured?.median).toBeCloseTo(1.2);
    expect(holds).toBe(false);
  });

  it('holds a push against docker-registry, and to its memory', () => {
    const figures = new Figures();
    for (const [round, rate] of [90, 70].entries()) {
      figures.add(pushMetrics.rate, 'baleen', round, rate);
      figures.add(pushMetrics.rate, 'docker-registry', round, 100);
      figures.add(pushMetrics.memory, 'baleen', round, 210);
    }
    expect(verdict(figures, /^pushing a blob/).measured?.median).toBeCloseTo(0.8);
    expect(verdict(figures, /^resident memory, pushing/).holds).toBe(false);
  });

  it('says so where nothing was measured', () => {
    expect(judge(new Figures(), options).every(({ holds }) => holds === undefined)).toBe(true);
  });
});

describe('bench report', () => {
  it('shows medians with their range, ratios, misses and failures', () => {
    const figures = warmBlobs([2, 4], [1, 1], []);
    figures.add(memoryMetric('big blob'), 'baleen', 0, 250);
    figures.fail('docker-registry', 'did not answer');
    const text = report(figures, options, {
      date: '2026-01-02',
      machine: '2 cores',
      programs: ['nginx 1'],
      missing: ['docker-registry: not installed'],
      measurements: 9,
      disturbed: 3,
    });
    expect(text).toContain('| warm blob, 8 connections, GB/s | 3 (2–4) | – | 1 | – | 3 × (2–4) |');
    expect(text).toContain('| resident memory, big blob: < 200 MB | 250 MB | **no** |');
    expect(text).toContain('docker-registry: not installed');
    expect(text).toContain('- docker-registry: did not answer');
    expect(text).toContain('3 of 9 measurements');
  });
});
