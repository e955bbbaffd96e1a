#!/usr/bin/env python3
"""Run CPython's own tests of threading / multiprocessing against a module.

  run_cpython_suite.py --target threading --module interlock.threading
  run_cpython_suite.py --target multiprocessing-processes --module interlock.multiprocessing -j2

One line per test, then `target=.. module=.. passed=.. failed=.. skipped=.. total=.. rate=..%`.
Each test runs in its own process group with a hard timeout. See README.md.
"""
import argparse
import fnmatch
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from tiers import tier_of                                    # noqa: E402

STDLIB = {'threading': 'threading',
          'multiprocessing-processes': 'multiprocessing'}


def environment(args, module):
    env = dict(os.environ)
    paths = [os.path.abspath(p) for p in env.get('PYTHONPATH', '').split(os.pathsep) if p]
    paths.append(os.getcwd())
    env.update(CONF_TARGET=args.target, CONF_MODULE=module,
               CONF_TIMEOUT=str(args.timeout), PYTHONHASHSEED='0',
               PYTHONPATH=os.pathsep.join([HERE] + paths),
               CONF_PATH=os.pathsep.join(paths), PYTHONDONTWRITEBYTECODE='1')
    if args.start_method:
        env['CONF_START_METHOD'] = args.start_method
    else:
        env.pop('CONF_START_METHOD', None)
    return env


def list_tests(args):
    """The ids, always taken with the standard module: they do not depend on M."""
    env = environment(args, STDLIB[args.target])
    env.pop('CONF_START_METHOD', None)
    out = subprocess.run(
        [sys.executable, '-c', 'import conf_cases as c; print("\\n".join(c.test_ids(c.CASES)))'],
        env=env, capture_output=True, text=True, timeout=120, check=True, cwd='/tmp')
    return out.stdout.split()


def excluded(path, target):
    ids = {}
    if os.path.exists(path):
        for line in open(path):
            line = line.split('#')[0].rstrip()
            if line.strip():
                tgt, tid, why = line.split(None, 2)
                if tgt == target:
                    ids[tid] = why
    return ids


def group_alive(pgid):
    """Whether a process of the group still runs (a zombie nobody reaps does not)."""
    for pid in os.listdir('/proc'):
        if pid.isdigit():
            try:
                with open(f'/proc/{pid}/stat') as f:
                    state, _, group = f.read().rpartition(')')[2].split()[:3]
            except OSError:
                continue
            if int(group) == pgid and state not in 'ZX':
                return True
    return False


def kill_group(pgid):
    try:
        os.killpg(pgid, signal.SIGKILL)
    except OSError:
        pass


PRIMITIVES = {
    'threading': 'Thread Lock RLock Condition Semaphore BoundedSemaphore Event Barrier Timer',
    'multiprocessing-processes':
        'Process Pool Queue SimpleQueue JoinableQueue Pipe Lock RLock '
        'Semaphore BoundedSemaphore Condition Event Barrier Value Array RawValue RawArray'}


def provenance(args):
    """Which primitives the module merely passes on from the standard library."""
    code = f"""
import importlib
m = importlib.import_module({args.module!r})
std, absent = [], []
for n in {PRIMITIVES[args.target]!r}.split():
    o = getattr(m, n, None)
    if o is None:
        absent.append(n)
    elif (getattr(o, '__module__', None) or type(o).__module__).split('.')[0] in (
            'threading', '_thread', 'multiprocessing', '_multiprocessing', 'queue', '_queue'):
        std.append(n)
print('provenance: from the standard library:', ' '.join(std) or 'none',
      '; absent:', ' '.join(absent) or 'none')
"""
    p = subprocess.run([sys.executable, '-c', code], env=dict(environment(args, args.module),
                       CONF_TARGET=''), capture_output=True, text=True, timeout=60, cwd='/tmp')
    return p.stdout.strip() or 'provenance: the module cannot be imported'


def run_one(args, tid):
    base = tempfile.mkdtemp(prefix='cf', dir='/tmp')
    work, res = os.path.join(base, 'w'), os.path.join(base, 'r')
    os.mkdir(work)
    env = environment(args, args.module)
    env['TMPDIR'] = work
    start = time.monotonic()
    log = open(os.path.join(base, 'out'), 'wb+')
    p = subprocess.Popen([sys.executable, os.path.join(HERE, 'conf_child.py'), tid, res],
                         env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=log,
                         stderr=subprocess.STDOUT, start_new_session=True)
    hung = False
    try:
        p.wait(args.timeout)
    except subprocess.TimeoutExpired:
        hung = True
    # on a normal end, leave helper processes a moment to go by themselves
    if not hung:
        for _ in range(20):
            if not group_alive(p.pid):
                break
            time.sleep(0.05)
    stray = not hung and group_alive(p.pid)
    kill_group(p.pid)
    if hung:
        p.wait()
    took = time.monotonic() - start
    try:
        status, text = json.load(open(res))
    except Exception:
        status, text = None, ''
    log.seek(0)
    out = log.read()[-4000:].decode('utf-8', 'replace')
    log.close()
    if hung:
        where = ''
        try:
            where = open(res + '.hang').read()
        except OSError:
            pass
        text = (f'outcome was {status}, then the process did not end\n' if status else '') \
            + text + where + out
        status = 'TIMEOUT'
    elif status is None:
        status, text = 'ERROR', f'no outcome, exit status {p.returncode}\n' + out
    elif status in ('FAIL', 'ERROR'):
        text += '\n--- output ---\n' + out
    shutil.rmtree(base, ignore_errors=True)
    return dict(id=tid, status=status, seconds=round(took, 2), stray=stray, text=text)


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--target', required=True, choices=sorted(STDLIB))
    ap.add_argument('--module', help='dotted name (default: the standard module)')
    ap.add_argument('--only', action='append', default=[],
                    help='substring or fnmatch pattern on Class.method; may repeat')
    ap.add_argument('--timeout', type=float, default=60, help='seconds per test (60)')
    ap.add_argument('-j', type=int, default=1, dest='jobs')
    ap.add_argument('--list', action='store_true')
    ap.add_argument('--tier', type=int, choices=(1, 2, 3), help='only this tier')
    ap.add_argument('--exclude', default=os.path.join(HERE, 'exclude.txt'))
    ap.add_argument('--no-exclude', action='store_true', help='run the excluded ones too')
    ap.add_argument('--start-method', help='call module.set_start_method(X) first')
    ap.add_argument('--json', help='write every outcome with its traceback here')
    ap.add_argument('-v', action='store_true', help='print tracebacks of failures')
    args = ap.parse_args()
    args.module = args.module or STDLIB[args.target]

    skip = {} if args.no_exclude else excluded(args.exclude, args.target)
    ids = list_tests(args)
    unknown = [t for t in skip if t not in ids]
    if unknown:
        print(f'warning: exclude list names unknown tests: {unknown}', file=sys.stderr)
    ids = [t for t in ids if t not in skip]
    if args.tier:
        ids = [t for t in ids if tier_of(args.target, t) == args.tier]
    if args.only:
        ids = [t for t in ids
               if any(o in t or fnmatch.fnmatchcase(t, o) for o in args.only)]
    if args.list:
        for t in ids:
            print(f'tier{tier_of(args.target, t)} {t}')
        print(f'{len(ids)} tests, {len(skip)} excluded', file=sys.stderr)
        return 0

    began, done = time.monotonic(), []
    with ThreadPoolExecutor(args.jobs) as pool:
        for fut in as_completed([pool.submit(run_one, args, t) for t in ids]):
            r = fut.result()
            r['tier'] = tier_of(args.target, r['id'])
            done.append(r)
            print(f"{r['status']:7} {r['id']} ({r['seconds']:.1f}s)"
                  + (' [left processes behind]' if r['stray'] else '')
                  + (f": {r['text'].strip()}" if r['status'] == 'SKIP' else ''), flush=True)
            if args.v and r['status'] in ('FAIL', 'ERROR', 'TIMEOUT'):
                print('    ' + r['text'].strip().replace('\n', '\n    '), flush=True)
    wall = time.monotonic() - began
    if args.json:
        json.dump(dict(target=args.target, module=args.module, wall=wall, tests=done),
                  open(args.json, 'w'), indent=1)

    def score(rows):
        a = sum(r['status'] == 'PASS' for r in rows)
        c = sum(r['status'] == 'SKIP' for r in rows)
        n = len(rows)
        return a, n - a - c, c, n, 100.0 * a / n if n else 0.0

    for t in (1, 2, 3):
        rows = [r for r in done if r['tier'] == t]
        if rows:
            print('tier=%d passed=%d failed=%d skipped=%d total=%d rate=%.1f%%'
                  % ((t,) + score(rows)))
    if args.module != STDLIB[args.target]:
        print(provenance(args))
    print('wall=%.0fs timeouts=%d excluded=%d' % (
        wall, sum(r['status'] == 'TIMEOUT' for r in done), len(skip)))
    a, b, c, n, e = score(done)
    print(f'target={args.target} module={args.module} passed={a} failed={b} '
          f'skipped={c} total={n} rate={e:.1f}%')
    return 0 if n and a == n else 1


if __name__ == '__main__':
    sys.exit(main())
