"""Runs one test (argv[1] = Class.method) and writes its outcome to argv[2]."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def main():
    import faulthandler
    import json
    import traceback
    import unittest
    tid, path = sys.argv[1:3]
    limit = float(os.environ.get('CONF_TIMEOUT', '60'))
    log = open(path + '.hang', 'w')
    faulthandler.dump_traceback_later(max(limit - 2, 1), file=log)
    me = os.getpid()

    def put(status, text=''):
        if os.getpid() != me:           # a forked child that fell through
            return
        with open(path, 'w') as f:
            json.dump([status, text[-6000:]], f)

    try:
        import conf_cases              # noqa: F811
        cname, method = tid.split('.')
        cls = conf_cases.CASES[cname]
        suite = unittest.defaultTestLoader.suiteClass([cls(method)])
    except BaseException:
        put('ERROR', 'cannot load: ' + traceback.format_exc())
        return 1
    res = unittest.TestResult()
    try:
        suite.run(res)
    except BaseException:
        put('ERROR', traceback.format_exc())
        return 1
    if res.errors:
        put('ERROR', '\n'.join(t for _, t in res.errors + res.failures))
    elif res.failures or res.unexpectedSuccesses:
        put('FAIL', '\n'.join(t for _, t in res.failures) or 'unexpected success')
    elif res.testsRun == 0 and not res.skipped:
        put('ERROR', 'nothing ran')
    elif res.skipped:
        put('SKIP', '; '.join(r for _, r in res.skipped))
    else:
        put('PASS')
    faulthandler.cancel_dump_traceback_later()
    return 0


import conf_cases                      # noqa: E402,F401  (also in a spawned child)
if __name__ == '__main__':
    sys.exit(main())
