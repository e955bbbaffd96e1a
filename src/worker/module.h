/* module.h - a user's module (interlock_module.h): loading it, and its functions by name. */
#ifndef ILI_WORKER_MODULE_H
#define ILI_WORKER_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include <interlock_module.h>

struct worker_module {
    const char *name;
    const il_module_function *functions; /* in the order of their names: owned copies */
    size_t count;
    char why[512]; /* it cannot be used */
};

/* Loads PATH, for the rest of the process's life. False: MODULE->why is a sentence. */
bool worker_module_load(const char *path, struct worker_module *module);

/* NULL: there is none of that name. */
il_status (*worker_module_function(const struct worker_module *module,
                                   const char *name))(il_call *);

#endif
