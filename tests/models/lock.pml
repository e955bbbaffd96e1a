/*
 * lock.pml - the lock word, its waiters, and repair, as src/sync/lock.c does it.
 *
 * Stands for: ili_lock_try_again and ili_lock_release_fast (src/sync/lock.h); give_up, take_or_queue,
 * wait_in_queue, wait_on, leave, ili_lock_dispatch, hand, settle_hand, ili_lock_repair, ili_lock_recover
 * (src/sync/lock.c), the owner being one agent; a lease's end is, for the word, a death of the owner
 * (ili_lock_revoke, src/sync/lock_owner.c; who keeps the time is lease.pml's); ili_agent_sleep, ili_agent_wake_later and
 * ili_agent_wake_now (src/arena/agent.c); the order of steps in src/session/recover.c.
 *
 * THREADS threads acquire and release ROUNDS times; up to DEATHS of them are killed between any two
 * steps. A guard is a word that only its holder, or the keeper for a dead holder, frees. The wait queue is
 * one step to change, since repair rebuilds it from its links (src/arena/waitq.c).
 *
 * Checked: never two owners at work (exclusion); everyone alive ends (no lost wake-up, progress after any
 * death: spin reports an invalid end state otherwise); the invariants of ili_lock_check at the end.
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define KEEPER THREADS

#define IDLE 0
#define WAITING 1
#define NOTIFIED 2
#define GRANTED 3

/* the lock word: changed by compare-and-swap only, so one step each */
byte owner;          /* thread + 1; 0: free */
bool waiters, waking;
byte sequence;       /* of grants; never wraps here */

byte guard;          /* thread + 1 */
byte hand_to, hand_sequence; /* the guard's intent; hand_to 0: none */

byte park[THREADS];
bool asleep[THREADS], handoff[THREADS];
byte owes[THREADS + 1]; /* agent.waking: thread + 1 */

byte queue[THREADS], queued; /* thread + 1, first come first */
byte at, kept;               /* scratch of queue_remove, 0 in between */
bool done[THREADS + 1];      /* scratch: the compare-and-swap went through */

bool dead[THREADS], killed[THREADS], working[THREADS];
byte deaths, ended;

inline queue_add(t) {
    atomic { queue[queued] = t + 1; queued++; park[t] = WAITING }
}

/* takes thread T out, wherever it stands; nothing if it is not in */
inline queue_remove(t) {
    atomic {
        do
        :: at < queued ->
            if
            :: queue[at] != t + 1 -> queue[kept] = queue[at]; kept++
            :: else
            fi;
            at++
        :: else -> break
        od;
        queued = kept;
        do
        :: kept < THREADS -> queue[kept] = 0; kept++
        :: else -> break
        od;
        at = 0;
        kept = 0
    }
}

inline lock_guard(who) { atomic { guard == 0 -> guard = who + 1 } }
inline unlock_guard(who) { assert(guard == who + 1); guard = 0 }

inline wake_now(who) {
    if
    :: owes[who] != 0 -> asleep[owes[who] - 1] = false; owes[who] = 0
    :: else
    fi
}

/* settle_hand(): the waiter TO owns the lock */
inline settle(to) {
    queue_remove(to);
    atomic { waking = false; if :: queued == 0 -> waiters = false :: else fi };
    park[to] = GRANTED
}

/* dispatch(): FROM (thread + 1, or 0) gives the lock up. Under the guard. */
inline dispatch(who, from) {
    do
    :: owner != from -> break
    :: owner == from && queued == 0 ->
        atomic {
            if
            :: owner == from -> owner = 0; waiters = false; waking = false; break
            :: else
            fi
        }
    :: owner == from && queued > 0 && handoff[queue[0] - 1] ->
        owes[who] = queue[0];
        atomic { hand_sequence = sequence + 1; hand_to = queue[0] };
        atomic {
            done[who] = owner == from;
            if :: done[who] -> owner = hand_to; sequence++ :: else -> hand_to = 0 fi
        };
        if
        :: done[who] -> settle(hand_to - 1); break
        :: else
        fi
    :: owner == from && queued > 0 && !handoff[queue[0] - 1] ->
        if
        :: park[queue[0] - 1] != NOTIFIED -> owes[who] = queue[0]
        :: else
        fi;
        atomic {
            done[who] = owner == from;
            if :: done[who] -> owner = 0; waiters = true; waking = true :: else fi
        };
        if
        :: done[who] && park[queue[0] - 1] == WAITING -> park[queue[0] - 1] = NOTIFIED; break
        :: done[who] && park[queue[0] - 1] != WAITING -> break
        :: else
        fi
    od;
    hand_to = 0
}

inline leave(t) {
    atomic {
        if :: park[t] == NOTIFIED -> waking = false :: else fi
    };
    queue_remove(t);
    atomic { if :: queued == 0 -> waiters = false; waking = false :: else fi };
    park[t] = IDLE;
    if
    :: queued > 0 && !waking && owner == 0 -> dispatch(t, 0)
    :: else
    fi
}

proctype thread(byte me) {
    byte round = 0;
    {
        do
        :: round == ROUNDS -> break
        :: round < ROUNDS ->
            handoff[me] = false;
            if
            :: atomic { owner == 0 && !waiters -> owner = me + 1; sequence++ } /* ili_lock_try_fast */
            :: lock_guard(me); /* take_or_queue */
                atomic {
                    if
                    :: owner == 0 -> owner = me + 1; sequence++
                    :: else -> waiters = true
                    fi
                };
                if
                :: owner == me + 1 -> unlock_guard(me)
                :: else ->
                    queue_add(me);
                    if
                    :: owner == 0 && !waking -> dispatch(me, 0)
                    :: else
                    fi;
                    unlock_guard(me);
                    wake_now(me);
                    do /* wait_in_queue */
                    :: atomic { park[me] == WAITING -> asleep[me] = true };
                        !asleep[me]
                    :: park[me] == GRANTED -> park[me] = IDLE; break
                    :: park[me] == NOTIFIED ->
                        if
                        :: atomic { owner == 0 -> owner = me + 1; sequence++ };
                            lock_guard(me);
                            leave(me);
                            unlock_guard(me);
                            wake_now(me);
                            break
                        :: owner != 0 -> /* wait_on */
                            lock_guard(me);
                            if
                            :: park[me] == NOTIFIED ->
                                if :: handoff[me] = true :: skip fi; /* patience ended, or not */
                                park[me] = WAITING;
                                waking = false;
                                if
                                :: owner == 0 -> dispatch(me, 0)
                                :: else
                                fi
                            :: else
                            fi;
                            unlock_guard(me);
                            wake_now(me)
                        fi
                    od
                fi
            fi;

            assert(owner == me + 1);
            working[me] = true;
            assert(working[0] + working[1] + working[2] == 1);
            working[me] = false;

            if /* give_up */
            :: atomic { !(waiters && !waking) -> owner = 0 }
            :: waiters && !waking ->
                lock_guard(me);
                dispatch(me, me + 1);
                unlock_guard(me);
                wake_now(me)
            fi;
            round++
        od
    } unless { killed[me] };
    atomic { working[me] = false; ended++; if :: killed[me] -> dead[me] = true :: else fi }
}

proctype killer() {
    byte whom;
    do
    :: deaths < DEATHS ->
        select(whom : 0 .. THREADS - 1);
        atomic { if :: !killed[whom] -> killed[whom] = true; deaths++ :: else -> break fi }
    :: break
    od
}

inline mend() {
    atomic {
        waiters = queued > 0;
        waking = queued > 0 && park[queue[0] - 1] == NOTIFIED
    };
    if
    :: owner == 0 ->
        if
        :: waking -> asleep[queue[0] - 1] = false
        :: else
        fi;
        dispatch(KEEPER, 0)
    :: else
    fi
}

inline recover(gone) {
    if /* ili_guard_is_held_by, ili_lock_repair */
    :: guard == gone + 1 ->
        guard = KEEPER + 1;
        if
        :: hand_to != 0 && sequence >= hand_sequence && park[hand_to - 1] != GRANTED &&
           park[hand_to - 1] != IDLE ->
            settle(hand_to - 1);
            asleep[hand_to - 1] = false
        :: else
        fi;
        hand_to = 0;
        mend();
        unlock_guard(KEEPER);
        wake_now(KEEPER)
    :: else
    fi;
    if /* agent.waking */
    :: owes[gone] != 0 -> asleep[owes[gone] - 1] = false; owes[gone] = 0
    :: else
    fi;
    if /* recover() */
    :: atomic { guard == 0 -> guard = KEEPER + 1 };
        queue_remove(gone);
        mend();
        if
        :: owner == gone + 1 -> dispatch(KEEPER, gone + 1)
        :: else
        fi;
        unlock_guard(KEEPER);
        wake_now(KEEPER);
        repaired[gone] = true
    :: guard != 0 -> skip /* IL_EBUSY: its holder may be dead too; again later */
    fi
}

proctype keeper() {
    bool repaired[THREADS];
    do
    :: dead[0] && !repaired[0] -> recover(0)
    :: dead[1] && !repaired[1] -> recover(1)
    :: dead[2] && !repaired[2] -> recover(2)
    :: ended == THREADS && dead[0] == repaired[0] && dead[1] == repaired[1] &&
       dead[2] == repaired[2] -> break
    od;
    assert(owner == 0 && guard == 0 && queued == 0 && !waiters && !waking)
}

init {
    atomic { run thread(0); run thread(1); run thread(2); run killer(); run keeper() }
}
