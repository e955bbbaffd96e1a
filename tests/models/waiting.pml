/*
 * waiting.pml - waits that others end by telling the waiter, as src/sync/waiting.c does it, with an event as
 * the object: src/sync/event.c. Rwlock, semaphore, condition, barrier and latch wait in the same way.
 *
 * Stands for: ili_waiting_begin, ili_waiting_tell, ili_waiting_tell_all, ili_waiting_sleep,
 * ili_waiting_poll, ili_waiting_withdraw, ili_waiting_repair (src/sync/waiting.c); ili_event_set,
 * set_and_tell, ili_event_clear, queue, mark, ili_event_repair, recover (src/sync/event.c);
 * ili_waitq_repair, ili_waitq_relink (src/arena/waitq.c); ili_agent_change_state, ili_agent_stay_awake,
 * ili_agent_sleep, ili_agent_wake_later, ili_agent_wake_now (src/arena/agent.c); the order of steps in
 * src/session/recover.c.
 *
 * Two wait, one of them awake for a while first; their waits may end by themselves (a timeout) at any time.
 * One sets the event SETS times; another clears it, and sets it OTHER_SETS times. Up to DEATHS of the four
 * are killed between any two steps. The wait queue is one step to change, since repair rebuilds it
 * from its links.
 *
 * Checked: who is told goes on only if the event was set since its wait began, and who was told is never
 * taken for one whose time was over. When nobody can go on: nobody
 * alive waits although the event is set, or was set since; the guard is free; WAITERS is set exactly if
 * somebody is in the queue, and what is in the queue waits.
 */
#ifndef SETS
#define SETS 1
#endif
#ifndef OTHER_SETS
#define OTHER_SETS 0
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define WAITS 2 /* 0, 1 wait; 2, 3 set */
#define ALL 4
#define KEEPER ALL

#define IDLE 0
#define WAITING 1
#define GRANTED 2

/* the word: changed by compare-and-swap only, so one step each */
bool set, waiters;
byte times; /* how often it was set */

byte guard;  /* who + 1 */
byte intent; /* the count before, + 1; 0: none */
byte park[WAITS];
bool awake[WAITS];     /* in the same word as park */
bool waits_for[WAITS]; /* agent.wait_object */
bool asleep[WAITS];
byte owes[ALL + 1]; /* agent.waking: who + 1 */

byte first, second; /* the queue: who + 1 */

byte began[WAITS]; /* the count as the wait began */
bool told[WAITS];  /* and has not heard it */
bool dead[ALL], killed[ALL];
byte deaths;

inline lock(who) { atomic { guard == 0 -> guard = who + 1 } }
inline unlock(who) { assert(guard == who + 1); guard = 0 }

inline link(w) {
    if :: first == 0 -> first = w + 1 :: else -> second = w + 1 fi
}

inline unlink(w) {
    if
    :: first == w + 1 -> first = second; second = 0
    :: second == w + 1 -> second = 0
    :: else
    fi
}

inline mark() { atomic { waiters = first != 0 } }

inline wake_now(who) {
    if
    :: owes[who] != 0 -> asleep[owes[who] - 1] = false; owes[who] = 0
    :: else
    fi
}

/* ili_waiting_tell(), to the first */
inline tell(who, whom) {
    wake_now(who);
    whom = first - 1;
    owes[who] = whom + 1;
    atomic { unlink(whom) };
    atomic {
        park[whom] = GRANTED; /* ili_agent_change_state(): the exchange */
        told[whom] = true;
        if
        :: awake[whom] -> awake[whom] = false
        :: else -> whom = ALL
        fi
    };
    if
    :: whom != ALL -> owes[who] = 0; whom = ALL
    :: else
    fi
}

inline tell_all(who, whom) {
    do
    :: first != 0 -> tell(who, whom)
    :: first == 0 -> break
    od
}

/* ili_waiting_poll() of one that was told */
inline poll(me) {
    assert(set || times != began[me]);
    waits_for[me] = false;
    atomic { park[me] = IDLE; told[me] = false }
}

proctype waiter(byte me) {
    {
        began[me] = times;
        lock(me); /* queue() */
        if
        :: atomic { set || times != began[me] -> skip };
            unlock(me)
        :: atomic { !set && times == began[me] -> waiters = true };
            atomic { waits_for[me] = true; park[me] = WAITING }; /* ili_waitq_add() */
            atomic { link(me) };
            unlock(me);
            if /* ili_agent_stay_awake() */
            :: me == 0 ->
                atomic { awake[me] = park[me] == WAITING };
                awake[me] = false
            :: else
            fi;
            do
            :: atomic { park[me] == WAITING -> asleep[me] = true };
end_asleep:     !asleep[me]
            :: park[me] == GRANTED -> poll(me); break
            :: park[me] != IDLE -> /* its time is over: ili_waiting_withdraw() */
                asleep[me] = false;
                lock(me);
                if
                :: park[me] == GRANTED -> poll(me)
                :: park[me] == WAITING ->
                    atomic { unlink(me) };
                    park[me] = IDLE;
                    waits_for[me] = false;
                    mark()
                fi;
                unlock(me);
                break
            od
        fi
    } unless { killed[me] };
    dead[me] = killed[me]
}

proctype setter(byte me; byte sets) {
    byte done = 0, count, whom = ALL;
    bool was;
    {
        if
        :: me == 3 -> set = false /* ili_event_clear() */
        :: else
        fi;
        do
        :: done == sets -> break
        :: done < sets ->
            if
            :: atomic { !waiters ->
                    if :: !set -> set = true; times++ :: else fi
                }
            :: waiters -> /* set_and_tell() */
                lock(me);
                do
                :: atomic { count = times; was = set };
                    intent = count + 1;
                    if
                    :: atomic { times == count && set == was ->
                            if :: !set -> set = true; waiters = false; times++ :: else fi
                        };
                        break
                    :: atomic { times != count || set != was -> skip }
                    fi
                od;
                tell_all(me, whom);
                intent = 0;
                unlock(me);
                wake_now(me)
            fi;
            done++
        od
    } unless { killed[me] };
    dead[me] = killed[me]
}

proctype killer() {
    byte whom;
    do
    :: deaths < DEATHS ->
        select(whom : 0 .. ALL - 1);
        atomic { if :: !killed[whom] -> killed[whom] = true; deaths++ :: else -> break fi }
    :: break
    od
}

/* ili_waitq_relink() */
inline relink(w) {
    if
    :: waits_for[w] && park[w] == WAITING && first != w + 1 && second != w + 1 ->
        if
        :: first != 0 -> second = first
        :: else
        fi;
        first = w + 1
    :: else
    fi
}

inline recover(gone) {
    if /* ili_event_repair() */
    :: guard == gone + 1 ->
        guard = KEEPER + 1;
        atomic { relink(0); relink(1) };
        if
        :: set || intent != 0 && times != intent - 1 -> tell_all(KEEPER, whom)
        :: else
        fi;
        intent = 0;
        mark();
        unlock(KEEPER);
        wake_now(KEEPER)
    :: else
    fi;
    if /* pay_wakes() */
    :: owes[gone] != 0 -> asleep[owes[gone] - 1] = false; owes[gone] = 0
    :: else
    fi;
    if /* recover() */
    :: atomic { guard == 0 -> guard = KEEPER + 1 };
        if
        :: gone < WAITS -> atomic { unlink(gone) }
        :: else
        fi;
        mark();
        unlock(KEEPER);
        if /* free_agent() */
        :: gone < WAITS -> atomic { waits_for[gone] = false; park[gone] = IDLE }
        :: else
        fi;
        repaired[gone] = true
    :: guard != 0 -> skip /* IL_EBUSY: its holder may be dead too; again later */
    fi
}

proctype keeper() {
    bool repaired[ALL];
    byte whom = ALL;
end:
    do
    :: dead[0] && !repaired[0] -> recover(0)
    :: dead[1] && !repaired[1] -> recover(1)
    :: dead[2] && !repaired[2] -> recover(2)
    :: dead[3] && !repaired[3] -> recover(3)
    od
}

#define SLEEPS(who) (asleep[who] && !killed[who])

/* runs when nothing else can */
proctype judge() {
    timeout;
    assert(guard == 0 && intent == 0);
    assert(!SLEEPS(0) || !set && times == began[0]);
    assert(!SLEEPS(1) || !set && times == began[1]);
    assert(!told[0] || killed[0]);
    assert(!told[1] || killed[1]);
    assert(waiters == (first != 0));
    assert(first == 0 || park[first - 1] == WAITING);
    assert(second == 0 || park[second - 1] == WAITING)
}

init {
    atomic {
        run waiter(0); run waiter(1); run setter(2, SETS); run setter(3, OTHER_SETS);
        run killer(); run keeper(); run judge()
    }
}
