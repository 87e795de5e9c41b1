import { describe, expect, it } from '@jest/globals';
import type { Action } from '../../src/access/action.ts';
import { anonymous, type Caller } from '../../src/access/caller.ts';
import { AccessRules, type AccessRule } from '../../src/access/rules.ts';
import { formatScope, parseScope } from '../../src/access/scope.ts';
import { AccessGuard } from '../../src/http/access-guard.ts';
import { targetOf } from '../../src/http/registry-request.ts';
import { RequestContext } from '../../src/http/request-context.ts';
import { isRegistryError } from '../../src/oci/errors.ts';
import { RouteTable, type RouteRequest } from '../../src/registry/resolve-route.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { policy } from '../support/scaffold.ts';

const upstream = (name: string, ...hosts: string[]) => ({
  remote: { name, upstream: new FakeUpstream(name), policy, permits: () => true },
  aliases: name === 'docker.io' ? ['index.docker.io'] : [],
  hosts,
});
const table = new RouteTable(
  [upstream('docker.io'), upstream('corp.example', 'corp.mirror')],
  'docker.io',
  (name) => name.startsWith('local/'),
);

const rules: readonly AccessRule[] = [
  { accounts: ['anonymous'], groups: [], repositories: ['docker.io/**'], actions: ['pull'] },
  { accounts: ['alice'], groups: [], repositories: ['local/**'], actions: ['pull', 'push'] },
  { accounts: [], groups: ['corp'], repositories: ['corp.example/**'], actions: ['pull'] },
  { accounts: ['root'], groups: [], repositories: ['**'], actions: ['admin'] },
];
const guard = new AccessGuard(table, new AccessRules(rules));

const alice: Caller = { account: 'alice', groups: [], scope: undefined };
const carol: Caller = { account: 'carol', groups: ['corp'], scope: undefined };
const root: Caller = { account: 'root', groups: [], scope: undefined };
const withToken = (who: Caller, ...scopes: string[]): Caller => ({
  ...who,
  scope: parseScope(scopes),
});

function contextOf(caller: Caller): RequestContext {
  const context = new RequestContext('1');
  context.caller = caller;
  return context;
}

/** `ok`, or the code of the refusal. */
function verdict(work: () => void): string {
  try {
    work();
    return 'ok';
  } catch (error) {
    if (isRegistryError(error)) return error.code;
    throw error;
  }
}

function admit(caller: Caller, request: RouteRequest, action: Action): string {
  const target = targetOf(request.name, table.find(request));
  return verdict(() => guard.admit(contextOf(caller), target, action));
}

describe('the guard', () => {
  it.each<[Caller, string, Action, string]>([
    [anonymous, 'alpine', 'pull', 'ok'],
    [anonymous, 'local/app', 'pull', 'UNAUTHORIZED'],
    [anonymous, 'local/app', 'push', 'UNAUTHORIZED'],
    [anonymous, 'corp.example/app', 'pull', 'UNAUTHORIZED'],
    [alice, 'alpine', 'pull', 'ok'],
    [alice, 'local/app', 'push', 'ok'],
    [alice, 'local/app', 'delete', 'DENIED'],
    [alice, 'corp.example/app', 'pull', 'DENIED'],
    [carol, 'corp.example/app', 'pull', 'ok'],
    [carol, 'local/app', 'pull', 'DENIED'],
    [root, 'local/app', 'delete', 'ok'],
    [root, 'corp.example/app', 'admin', 'ok'],
  ])('answers %j, who wants of %s to %s, with %s', (who, name, action, expected) => {
    expect(admit(who, { name }, action)).toBe(expected);
  });

  it.each<[string, RouteRequest]>([
    ['its prefix', { name: 'corp.example/app' }],
    ['ns', { name: 'app', ns: 'corp.example' }],
    ['ns in capitals', { name: 'app', ns: 'CORP.example' }],
    ['ns and its prefix', { name: 'corp.example/app', ns: 'corp.example' }],
    ['its host', { name: 'app', host: 'Corp.Mirror' }],
    ['ns, for a hosted name', { name: 'local/app', ns: 'corp.example' }],
  ])('asks the rules of an upstream that is named by %s about that one', (_how, request) => {
    expect(admit(carol, request, 'pull')).toBe('ok');
    expect(admit(alice, request, 'pull')).toBe('DENIED');
    expect(admit(anonymous, request, 'pull')).toBe('UNAUTHORIZED');
  });

  it('lets who may pull hear why nothing can be pushed to an upstream', () => {
    for (const action of ['push', 'delete'] as const) {
      expect(admit(alice, { name: 'alpine' }, action)).toBe('ok');
      expect(admit(alice, { name: 'corp.example/app' }, action)).toBe('DENIED');
      expect(admit(anonymous, { name: 'corp.example/app' }, action)).toBe('UNAUTHORIZED');
    }
  });

  it.each<[string[], string, Action, string]>([
    [['repository:local/app:pull'], 'local/app', 'pull', 'ok'],
    [['repository:local/app:pull'], 'local/app', 'push', 'UNAUTHORIZED'],
    [['repository:local/app:pull'], 'local/other', 'pull', 'UNAUTHORIZED'],
    [['repository:local/app:pull,push'], 'local/app', 'push', 'ok'],
    [['repository:local/app:*'], 'local/app', 'push', 'ok'],
    [['repository:local/app:pull', 'repository:local/b:push'], 'local/b', 'push', 'ok'],
    [['repository:local/app:push'], 'local/app', 'pull', 'UNAUTHORIZED'],
    [[], 'local/app', 'pull', 'UNAUTHORIZED'],
    [['registry:catalog:*'], 'local/app', 'pull', 'UNAUTHORIZED'],
    [['repository(plugin):local/app:pull'], 'local/app', 'pull', 'UNAUTHORIZED'],
    // What no rule allows, no token does.
    [['repository:local/app:*'], 'local/app', 'delete', 'DENIED'],
    [['repository:corp.example/app:pull'], 'corp.example/app', 'pull', 'DENIED'],
  ])('lets a token for %j narrow what alice may: %s, %s: %s', (scopes, name, action, expected) => {
    expect(admit(withToken(alice, ...scopes), { name }, action)).toBe(expected);
  });

  it('holds strangers to the scope of their token, too', () => {
    const token = withToken(anonymous, 'repository:library/alpine:pull');
    expect(admit(token, { name: 'library/alpine' }, 'pull')).toBe('ok');
    expect(admit(token, { name: 'library/busybox' }, 'pull')).toBe('UNAUTHORIZED');
    // The token names what the client writes, which may lead elsewhere: the rules decide about that.
    expect(admit(token, { name: 'library/alpine', ns: 'corp.example' }, 'pull')).toBe(
      'UNAUTHORIZED',
    );
  });

  it.each<[Caller, string, Action, string | undefined]>([
    [anonymous, 'local/app', 'pull', 'repository:local/app:pull'],
    [anonymous, 'local/app', 'push', 'repository:local/app:pull,push'],
    [anonymous, 'local/app', 'delete', 'repository:local/app:delete'],
    [anonymous, 'corp.example/app', 'pull', 'repository:corp.example/app:pull'],
    [withToken(alice), 'local/app', 'push', 'repository:local/app:pull,push'],
    [alice, 'corp.example/app', 'pull', undefined],
    [anonymous, 'alpine', 'pull', undefined],
  ])('has the challenge to %j at %s, %s, name the scope %s', (who, name, action, scope) => {
    const context = contextOf(who);
    verdict(() => guard.admit(context, targetOf(name, table.find({ name })), action));
    expect(context.neededScope && formatScope(context.neededScope)).toBe(scope);
  });

  it.each<[Caller, string, boolean | string]>([
    [root, 'local/b', true],
    [alice, 'local/b', true],
    [carol, 'local/b', false],
    [anonymous, 'local/b', false],
    [
      withToken(alice, 'repository:local/app:pull,push', 'repository:local/b:pull'),
      'local/b',
      true,
    ],
    // Another token would do, and the client fetches it.
    [withToken(alice, 'repository:local/app:pull,push'), 'local/b', 'UNAUTHORIZED'],
    [withToken(carol, 'repository:local/app:pull,push'), 'local/b', false],
    [withToken(alice, 'repository:local/app:pull,push'), 'corp.example/b', false],
  ])('lets %j mount from %s: %j', (who, name, expected) => {
    const source = targetOf(name, table.find({ name }));
    let found: boolean | undefined;
    const refusal = verdict(() => {
      found = guard.permitsSource(contextOf(who), source);
    });
    expect(found ?? refusal).toBe(expected);
  });

  it('tells an account what it may not do, in the words that it used', () => {
    const target = targetOf('local/app', table.find({ name: 'local/app' }));
    expect(() => guard.admit(contextOf(carol), target, 'push')).toThrow(
      'carol may not push to local/app',
    );
    expect(() => guard.admit(contextOf(anonymous), target, 'push')).toThrow(
      'authentication required',
    );
  });

  it.each<[Caller, string]>([
    [anonymous, 'ok'],
    [withToken(anonymous), 'UNAUTHORIZED'],
    [withToken(anonymous, 'registry:catalog:*'), 'ok'],
    [withToken(alice, 'repository:local/app:pull'), 'UNAUTHORIZED'],
  ])('lets %j ask for names: %s', (who, expected) => {
    const context = contextOf(who);
    expect(verdict(() => guard.admitToCatalog(context))).toBe(expected);
    const scope = context.neededScope && formatScope(context.neededScope);
    expect(scope).toBe(expected === 'ok' ? undefined : 'registry:catalog:*');
  });

  it('tells no names where nothing may be pulled', () => {
    const strict = new AccessGuard(table, new AccessRules(rules.slice(1)));
    expect(verdict(() => strict.admitToCatalog(contextOf(anonymous)))).toBe('UNAUTHORIZED');
    const dave: Caller = { account: 'dave', groups: [], scope: undefined };
    expect(verdict(() => strict.admitToCatalog(contextOf(dave)))).toBe('DENIED');
  });

  it.each<[Caller, string, Action, boolean]>([
    [anonymous, 'alpine', 'pull', true],
    [anonymous, 'local/app', 'pull', true], // as docker.io/local/app, by ns
    [anonymous, 'local/app', 'push', false],
    [alice, 'local/app', 'push', true],
    [alice, 'local/app', 'delete', false],
    // Nobody can push there, so no token is for it.
    [root, 'alpine', 'push', false],
    [root, 'local/app', 'delete', true],
    [carol, 'app', 'pull', true],
    [root, '..', 'pull', false],
    [root, 'A', 'pull', false],
  ])('has a token given to %j for %s, %s: %j', (who, name, action, expected) => {
    expect(guard.grantable(who, 'repository', name, action)).toBe(expected);
  });

  it('gives no token for a private upstream under a name that may mean it, except to its readers', () => {
    const closed = new RouteTable([upstream('corp.example')], undefined);
    const strict = new AccessGuard(closed, new AccessRules(rules));
    expect(strict.grantable(carol, 'repository', 'app', 'pull')).toBe(true);
    expect(strict.grantable(alice, 'repository', 'app', 'pull')).toBe(false);
    expect(strict.grantable(anonymous, 'repository', 'app', 'pull')).toBe(false);
  });

  it.each<[Caller, string, string, string, boolean]>([
    [anonymous, 'registry', 'catalog', '*', true],
    [carol, 'registry', 'catalog', '*', true],
    [root, 'registry', 'catalog', 'pull', false],
    [root, 'registry', 'other', '*', false],
    [root, 'repository(plugin)', 'local/app', 'pull', false],
    [root, 'repository', 'local/app', '*', false],
    [root, 'repository', 'local/app', 'toString', false],
  ])('has a token given to %j for %s:%s:%s: %j', (who, type, name, action, expected) => {
    expect(guard.grantable(who, type, name, action)).toBe(expected);
    const closed = new AccessGuard(table, new AccessRules([]));
    expect(closed.grantable(who, type, name, action)).toBe(false);
  });

  it('follows rules that take the place of others from the next request on', () => {
    const changing = new AccessGuard(table, new AccessRules(rules));
    const target = targetOf('local/app', table.find({ name: 'local/app' }));
    const push = (): string => verdict(() => changing.admit(contextOf(alice), target, 'push'));
    expect(push()).toBe('ok');
    changing.replace(new AccessRules([]));
    expect(push()).toBe('DENIED');
    changing.replace(new AccessRules(rules));
    expect(push()).toBe('ok');
  });
});
