/*
 * spawner.h - the process that starts and reaps all programs of interlockd.
 *
 * It is the server's own program, run anew (main() asks ili_spawner_asked() first), and does nothing
 * else: one socket to the server, its children, SIGCHLD. So the programs have a parent that never ends
 * while the server lives, has nothing of the server's open, and outlives a killed server for as long as
 * it takes to end what it started: at the end of the socket it kills every descendant and ends itself.
 * It is in a session of its own: what a terminal sends to the server reaches no program.
 *
 * It is the subreaper: what a program leaves behind (also what left its process group or session) is
 * adopted by it, found by INTERLOCK_PROCESS in its environment, and killed when that program ends; so
 * is, then, what belongs to nobody any more. INTERLOCK_PROCESS is the spawner's to set, and names the
 * server as well as the program. If the spawner itself is killed its children die by their parent-death
 * signal; the server sees it and starts another one, which kills what else they left behind.
 *
 * The server's side is asynchronous: the events come in the loop's thread.
 */
#ifndef ILI_WORK_SPAWNER_H
#define ILI_WORK_SPAWNER_H

#include "base/loop.h"
#include "run/spawn.h"

struct ili_spawner_event {
    uint64_t id; /* of the program, the caller's */
    enum {
        ILI_SPAWNER_STARTED, /* pid */
        ILI_SPAWNER_FAILED,  /* error, what: it never ran */
        ILI_SPAWNER_ENDED,   /* wait_status, and its descendants are gone too */
    } what_happened;
    pid_t pid;
    int error; /* errno */
    const char *what;
    int wait_status;       /* as waitpid(2) tells it */
    uint64_t cpu_ns;       /* user and system time, that of its reaped children too */
    uint64_t memory_bytes; /* the most it had resident */
};

struct ili_spawner {
    struct ili_source source; /* the socket */
    struct ili_loop *loop;
    pid_t pid; /* of the spawner process */
    void (*event)(void *context, const struct ili_spawner_event *event);
    void *context;
    void *private; /* the implementation's: what is to be sent, which programs there are */
};

/* Starts the spawner process, which keeps the directory, environment and limits that the caller has now
 * (so before the server raises its own). IL_ESYSTEM, IL_ENOMEM. */
il_status ili_spawner_start(struct ili_spawner *spawner);

/* What it runs: "/proc/self/exe". Tests, whose own main() does not ask, name another program. */
extern const char *ili_spawner_program;

/* For main(), before anything else:
 *     if (ili_spawner_asked(arguments)) return ili_spawner_main();          */
bool ili_spawner_asked(char *const *arguments);
int ili_spawner_main(void);

/* From now on EVENT(CONTEXT, …) is told, from LOOP. */
il_status ili_spawner_listen(struct ili_spawner *spawner, struct ili_loop *loop,
                             void (*event)(void *context, const struct ili_spawner_event *event),
                             void *context);

/* Starts a program under ID, which no living one has. The descriptors of SPAWN are sent and stay the
 * caller's. STARTED or FAILED follows, after STARTED an ENDED; only an ENDED with SIGKILL, if the spawner
 * itself died. It always dies with the spawner, whatever SPAWN says. What cannot be sent now is sent later. IL_ENOMEM, IL_ETOOBIG (more than 1 MiB of arguments and
 * environment), IL_ESYSTEM: nothing follows. */
il_status ili_spawner_spawn(struct ili_spawner *spawner, uint64_t id,
                            const struct ili_spawn *spawn);

/* Sends SIGNAL to the process group of ID; SIGKILL reaches every descendant. Nothing if it has ended. */
void ili_spawner_kill(struct ili_spawner *spawner, uint64_t id, int signal);

/* How many programs have not ended. */
size_t ili_spawner_count(const struct ili_spawner *spawner);

/* Kills everything, waits until it is gone (at most a second) and frees. */
void ili_spawner_stop(struct ili_spawner *spawner);

#endif
