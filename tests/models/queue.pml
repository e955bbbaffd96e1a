/*
 * queue.pml - waiting for a message and for room, as src/data/queue.c does it.
 *
 * Stands for: ili_queue_try_put, ili_queue_try_get, enqueue, tell, wait_turn, ili_queue_withdraw,
 * nudge_getters, nudge_putters, recover (src/data/queue.c); what a put or take commits is one step here,
 * as in src/data/queue_store.c.
 *
 * Two producers put PUTS and OTHER_PUTS messages into a queue of MAXSIZE, two consumers take; up to DEATHS of the
 * four are killed between any two steps; a consumer's wait may end by itself (a timeout) at any time.
 *
 * Checked, whenever nobody can go on: no consumer that lives sleeps beside a message, no producer that
 * lives beside room; the guards are free. Always: 0 <= size <= MAXSIZE.
 */
#ifndef PUTS
#define PUTS 1
#endif
#ifndef OTHER_PUTS
#define OTHER_PUTS 0
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define MAXSIZE 1
#define ALL 4 /* 0, 1 produce; 2, 3 consume */
#define KEEPER ALL
#define TAIL 0
#define HEAD 1
#define GETTERS TAIL
#define PUTTERS HEAD

#define IDLE 0
#define WAITING 1
#define NOTIFIED 2

byte size;
byte guard[2];                     /* TAIL, HEAD: who + 1 */
byte first[2], second[2];          /* who waits under that guard, who + 1: getters, putters */
byte park[ALL], owes[ALL + 1];
bool asleep[ALL], dead[ALL], killed[ALL];
byte deaths;

inline lock(which, who) { atomic { guard[which] == 0 -> guard[which] = who + 1 } }
inline unlock(which, who) { assert(guard[which] == who + 1); guard[which] = 0 }

inline wake_now(who) {
    if
    :: owes[who] != 0 -> asleep[owes[who] - 1] = false; owes[who] = 0
    :: else
    fi
}

/* tells the first of the list; under its guard */
inline tell(which, who) {
    if
    :: first[which] != 0 ->
        wake_now(who);
        telling[which] = first[which];
        owes[who] = first[which];
        atomic { first[which] = second[which]; second[which] = 0 };
        park[telling[which] - 1] = NOTIFIED;
        telling[which] = 0
    :: else
    fi
}
byte telling[2]; /* the guard's intent: who + 1 */

inline enter(which, who) {
    atomic {
        if :: first[which] == 0 -> first[which] = who + 1 :: else -> second[which] = who + 1 fi;
        park[who] = WAITING
    }
}

inline drop(which, who) {
    atomic {
        if
        :: first[which] == who + 1 -> first[which] = second[which]; second[which] = 0
        :: second[which] == who + 1 -> second[which] = 0
        :: else
        fi
    }
}

inline withdraw(which, who) {
    lock(which, who);
    if
    :: park[who] == WAITING -> drop(which, who)
    :: park[who] == NOTIFIED -> tell(which, who)
    fi;
    park[who] = IDLE;
    unlock(which, who);
    wake_now(who)
}

proctype producer(byte me; byte puts) {
    byte put = 0;
    bool ok;
    {
        do
        :: put == puts -> break
        :: put < puts ->
            lock(TAIL, me);
            if
            :: atomic { size < MAXSIZE -> size++; ok = true };
                tell(GETTERS, me)
            :: size == MAXSIZE -> ok = false
            fi;
            unlock(TAIL, me);
            wake_now(me);
            if
            :: ok -> put++
            :: else ->
                lock(TAIL, me);
                lock(HEAD, me);
                if
                :: size == MAXSIZE -> enter(PUTTERS, me)
                :: else
                fi;
                unlock(HEAD, me);
                unlock(TAIL, me);
                do
                :: atomic { park[me] == WAITING -> asleep[me] = true };
end_full:           !asleep[me]
                :: park[me] != WAITING -> park[me] = IDLE; break
                od
            fi
        od
    } unless { killed[me] };
    dead[me] = killed[me]
}

proctype consumer(byte me) {
    bool ok;
    {
        do
        :: lock(HEAD, me);
            if
            :: atomic { size > 0 -> size--; ok = true };
                tell(PUTTERS, me)
            :: size == 0 -> ok = false
            fi;
            unlock(HEAD, me);
            wake_now(me);
            if
            :: ok
            :: !ok ->
                lock(TAIL, me);
                if
                :: size == 0 -> enter(GETTERS, me)
                :: else
                fi;
                unlock(TAIL, me);
                do
                :: atomic { park[me] == WAITING -> asleep[me] = true };
end_empty:          !asleep[me]
                :: park[me] != WAITING -> park[me] = IDLE; break
                :: park[me] != IDLE -> withdraw(GETTERS, me); goto home /* its time is over */
                od
            fi
        od;
home:
        skip
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

inline nudge(which, worth) {
    if
    :: worth -> tell(which, KEEPER); wake_now(KEEPER)
    :: else
    fi
}

inline finish_telling(which) {
    if
    :: telling[which] != 0 && park[telling[which] - 1] == WAITING ->
        drop(which, telling[which] - 1);
        park[telling[which] - 1] = NOTIFIED;
        asleep[telling[which] - 1] = false
    :: else
    fi;
    telling[which] = 0
}

inline recover(gone) {
    if
    :: guard[HEAD] == gone + 1 -> guard[HEAD] = KEEPER + 1; finish_telling(PUTTERS);
        drop(PUTTERS, gone);
        nudge(PUTTERS, size < MAXSIZE); unlock(HEAD, KEEPER)
    :: else
    fi;
    if
    :: guard[TAIL] == gone + 1 -> guard[TAIL] = KEEPER + 1; finish_telling(GETTERS);
        drop(GETTERS, gone);
        nudge(GETTERS, size > 0); unlock(TAIL, KEEPER)
    :: else
    fi;
    if
    :: owes[gone] != 0 -> asleep[owes[gone] - 1] = false; owes[gone] = 0
    :: else
    fi;
    if
    :: atomic { guard[TAIL] == 0 -> guard[TAIL] = KEEPER + 1 };
        drop(GETTERS, gone);
        nudge(GETTERS, size > 0);
        unlock(TAIL, KEEPER);
        if
        :: atomic { guard[HEAD] == 0 -> guard[HEAD] = KEEPER + 1 };
            drop(PUTTERS, gone);
            nudge(PUTTERS, size < MAXSIZE);
            unlock(HEAD, KEEPER);
            repaired[gone] = true
        :: guard[HEAD] != 0
        fi
    :: guard[TAIL] != 0 -> skip /* again later */
    fi
}

proctype keeper() {
    bool repaired[ALL];
end:
    do
    :: dead[0] && !repaired[0] -> recover(0)
    :: dead[1] && !repaired[1] -> recover(1)
    :: dead[2] && !repaired[2] -> recover(2)
    :: dead[3] && !repaired[3] -> recover(3)
    od
}

#define SLEEPS(who) (asleep[who] && !killed[who])

proctype judge() {
    timeout;
    assert(guard[TAIL] == 0 && guard[HEAD] == 0);
    assert(size == 0 || !SLEEPS(2) && !SLEEPS(3));
    assert(size == MAXSIZE || !SLEEPS(0) && !SLEEPS(1))
}

init {
    atomic {
        run producer(0, PUTS); run producer(1, OTHER_PUTS); run consumer(2); run consumer(3);
        run killer(); run keeper(); run judge()
    }
}
