/*
 * lease.pml - the table of leases, and who ends them, as src/arena/lease.c and src/session/expiry.c do it.
 *
 * Stands for: ili_lease_claim, ili_lease_extend, ili_lease_end, ili_lease_read, ili_lease_end_all_of
 * (src/arena/lease.c); heard, end, void_grant, ili_expiry_run (src/session/expiry.c); what a lock does about
 * its lease (src/sync/lock.c, src/sync/lock_owner.c); ili_doorbell_write, ili_doorbell_hear
 * (src/arena/doorbell.c); ring_for_sweep (src/session/keeper.c).
 *
 * Two holders acquire one lock, TURNS times each, with a lease. Then one of these: they release it; they
 * prolong the lease and wait for its end; they wait for its end. There is one entry, so each lease follows
 * another one's at once. Its time ends whenever it likes. Up to DEATHS holders are killed between any two
 * steps; the keeper, who recovers them, and the timekeeper are two threads. A token stands for its stamp.
 *
 * Checked: no grant is voided before the time of its own lease is over; no lease is armed but for a grant
 * whose holder claimed it. When nobody can go on: no grant stands (each lease of one that did was ended), and
 * the entry is free.
 */
#ifndef TURNS
#define TURNS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define HOLDERS 2
#define KEEPER HOLDERS
#define TIMEKEEPER 3
#define TOKENS 5

byte guard;         /* the lock's: who + 1 */
byte grant, newest; /* the token that stands, or 0; the last one */
byte granted_to;    /* who + 1 */

/* the entry: owner and stamp are one word, so one step to change */
byte owner, stamp;
byte token; /* the other fields */
bool over;  /* end_ns has come */
byte token_of_end; /* whose `over` that is: to check with */

bool changed, bell, eventfd, known; /* known: there is a timer for it */
bool due[TOKENS]; /* the time of that token's lease is over */
bool dead[HOLDERS], killed[HOLDERS];
byte deaths;

inline lock(who) { atomic { guard == 0 -> guard = who + 1 } }
inline unlock(who) { assert(guard == who + 1); guard = 0 }

/* ili_lease_end() */
inline end_lease(t) {
    atomic { if :: stamp == t -> owner = 0; stamp = 0 :: else fi }
}

proctype holder(byte me) {
    byte turn = 0, mine;
    bool rings;
    {
        do
        :: turn == TURNS -> break
        :: turn < TURNS ->
            atomic { grant == 0 && guard == 0 ->
                newest++; grant = newest; mine = newest; granted_to = me + 1
            };
            atomic { owner == 0 && stamp == 0 -> owner = me + 1 }; /* ili_lease_claim() */
            token = mine;
            atomic { over = false; token_of_end = mine };
            atomic { assert(owner == me + 1 && stamp == 0); stamp = mine };
            changed = true;
            atomic { rings = !bell; bell = true };
            if
            :: rings -> eventfd = true
            :: else
            fi;
            if
            :: lock(me); /* a release */
                if
                :: grant == mine -> grant = 0; end_lease(mine)
                :: else
                fi;
                unlock(me)
            :: lock(me); /* a renewal: one that comes after the end may find the grant voided all the same */
                if
                :: grant == mine && stamp == mine -> over = false
                :: else
                fi;
                unlock(me);
                grant != mine
            :: grant != mine
            fi;
            turn++
        od
    } unless { killed[me] };
    dead[me] = killed[me]
}

/* time goes by */
proctype clock() {
end:
    do
    :: atomic { stamp != 0 && !over -> over = true; due[token_of_end] = true }
    od
}

proctype timekeeper() {
    byte its_owner, its_stamp, its_token;
    bool its_over, heard;
end:
    do
    :: eventfd ->
        eventfd = false;
        bell = false;
        atomic { heard = changed; changed = false };
        if
        :: heard && owner != 0 -> known = true
        :: else
        fi
    :: known && (owner == 0 || stamp != 0 && over) -> /* its timer fires: end() */
        known = false;
        atomic { its_owner = owner; its_stamp = stamp }; /* ili_lease_read() */
        if
        :: its_owner == 0 -> skip
        :: its_owner != 0 && its_stamp == 0 -> known = true
        :: its_stamp != 0 ->
            its_token = token;
            its_over = over;
            if
            :: atomic { owner != its_owner || stamp != its_stamp -> known = true }
            :: atomic { owner == its_owner && stamp == its_stamp -> assert(its_token == its_stamp) };
                if
                :: !its_over -> known = true
                :: its_over ->
                    lock(TIMEKEEPER); /* kind->revoke() */
                    if
                    :: grant == its_token ->
                        assert(due[its_token]);
                        grant = 0;
                        end_lease(its_token)
                    :: else
                    fi;
                    unlock(TIMEKEEPER);
                    end_lease(its_token)
                fi
            fi
        fi;
        atomic { its_owner = 0; its_stamp = 0; its_token = 0; its_over = false }
    od
}

proctype killer() {
    byte whom;
    do
    :: deaths < DEATHS ->
        select(whom : 0 .. HOLDERS - 1);
        atomic { if :: !killed[whom] -> killed[whom] = true; deaths++ :: else -> break fi }
    :: break
    od
}

inline recover(gone) {
    if
    :: guard == gone + 1 -> guard = 0 /* the lock's repair has nothing to do here */
    :: else
    fi;
    atomic { if :: owner == gone + 1 -> owner = 0; stamp = 0 :: else fi }; /* ili_lease_end_all_of() */
    lock(KEEPER);
    if
    :: grant != 0 && granted_to == gone + 1 -> grant = 0
    :: else
    fi;
    unlock(KEEPER);
    changed = true; /* ring_for_sweep(): the bits are looked at, whatever the summary says */
    eventfd = true;
    repaired[gone] = true
}

proctype keeper() {
    bool repaired[HOLDERS];
end:
    do
    :: dead[0] && !repaired[0] -> recover(0)
    :: dead[1] && !repaired[1] -> recover(1)
    od
}

/* runs when nothing else can */
proctype judge() {
    timeout;
    assert(guard == 0 && grant == 0);
    assert(owner == 0 && stamp == 0)
}

init {
    atomic {
        run holder(0); run holder(1); run clock(); run timekeeper();
        run killer(); run keeper(); run judge()
    }
}
