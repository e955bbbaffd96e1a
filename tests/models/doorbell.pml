/*
 * doorbell.pml - waking a waiter that has no thread, as src/arena/doorbell.c does it.
 *
 * Stands for: ili_doorbell_ring, ili_doorbell_collect (src/arena/doorbell.c); ring_for_sweep
 * (src/session/keeper.c).
 *
 * Two processes make a waiter each ready and ring; one of them may be killed between any two steps, after
 * which the keeper asks for a sweep. A word of bits is one step to change (fetch_or, exchange). The
 * summary has one bit here, which is the hard case: two ringers share it.
 *
 * Checked: when nobody can go on, every waiter that was made ready was heard, unless its ringer died
 * before it set the bit (then the repair of the object rings for it: src/session/recover.c, waking).
 */
bool ready[2], leaf[2], heard[2];
bool summary, doorbell;
byte eventfd; /* 0: nothing to read */
bool sweep;
bool killed, dead[2];

proctype ringer(byte me) {
    {
        ready[me] = true;
        leaf[me] = true;
        summary = true;
        if
        :: atomic { !doorbell -> doorbell = true };
            eventfd = 1
        :: doorbell -> skip
        fi
    } unless { me == 0 && killed };
    dead[me] = true
}

proctype killer() {
    if
    :: killed = true;
        dead[0];
        sweep = true; /* ring_for_sweep() writes the eventfd whatever `doorbell` says */
        eventfd = 1
    :: skip
    fi
}

/* the thread that listens: never ends */
proctype listener() {
    bool marked, bits, all;
    byte which;
end:
    do
    :: eventfd != 0 ->
        eventfd = 0;
        atomic { all = sweep; sweep = false };
        doorbell = false;
        atomic { marked = summary || all; summary = false };
        which = 0;
        do
        :: marked && which < 2 ->
            atomic { bits = leaf[which]; leaf[which] = false };
            if
            :: bits -> assert(ready[which]); heard[which] = true
            :: else
            fi;
            which++
        :: else -> break
        od
    od
}

/* runs when nothing else can */
proctype judge() {
    timeout;
    assert(!leaf[0] && !leaf[1]);
    assert(heard[1]);
    assert(heard[0] || killed)
}

init {
    atomic { run ringer(0); run ringer(1); run killer(); run listener(); run judge() }
}
