import { afterAll, afterEach, beforeEach, expect } from '@jest/globals';
import nock from 'nock';

/**
 * Puts the enclosing suite in front of scripted hosts: nothing reaches the network, and every
 * scripted request has to come. The interception ends with the suite: it is of the process, and
 * another test file's would else see the same requests.
 */
export function useNock(): void {
  beforeEach(() => {
    if (!nock.isActive()) nock.activate();
    nock.disableNetConnect();
  });
  afterEach(() => {
    const pending = nock.pendingMocks();
    nock.cleanAll();
    expect(pending).toEqual([]);
  });
  afterAll(() => {
    nock.enableNetConnect();
    nock.restore();
  });
}
