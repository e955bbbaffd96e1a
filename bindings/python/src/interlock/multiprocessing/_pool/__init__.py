"""How interlock.multiprocessing.pool works inside.

    errors.py       what a task can fail with beside its function's own exceptions
    results.py      what apply_async(), map_async(), imap() ... return
    messages.py     tasks and results as bytes, in parts where they are big
    worker.py       the loop of a worker process
    feeder.py       the thread that takes items out of iterables, some ahead of the workers
    workers.py      one worker process, and what the pool knows of it
    engine.py       the pool's middle: which worker has which task
    supervisor.py   the thread that starts workers, and sees them die
    threads.py      the same for ThreadPool

Each worker process has a queue of its own. So the pool knows at a worker's death what it had taken: what it was
given, without what is left in its queue and without the results that came. A worker with nothing to do gets the
tasks that wait behind a slow one in another worker's queue.
"""
