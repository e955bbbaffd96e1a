#include "worker/module.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ENTRY "il_module_main"
#define RESERVED "interlock." /* names of functions that the worker itself may have */

typedef const il_module *entry_function(uint32_t abi_version);

/* False, with the reason. */
__attribute__((format(printf, 2, 3))) static bool unusable(struct worker_module *module,
                                                           const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(module->why, sizeof module->why, format, arguments);
    va_end(arguments);
    return false;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const il_module_function *)a)->name, ((const il_module_function *)b)->name);
}

/* Whether the table makes sense; then its functions are copied. */
static bool read_table(const char *path, const il_module *table, struct worker_module *module) {
    const char *why;
    if (table->abi_version == 0 || table->abi_version > IL_MODULE_ABI_VERSION) {
        return unusable(module,
                        "%s was built for version %u of interlock_module.h, this worker has %u",
                        path, table->abi_version, IL_MODULE_ABI_VERSION);
    }
    if (table->struct_bytes < sizeof *table) {
        return unusable(module, "%s: struct_bytes of its il_module is %u, expected %zu", path,
                        table->struct_bytes, sizeof *table);
    }
    if (table->count == 0 || !table->functions) {
        return unusable(module, "%s has no functions", path);
    }
    il_module_function *functions = calloc(table->count, sizeof *functions);
    if (!functions) return unusable(module, "no memory for the functions of %s", path);
    memcpy(functions, table->functions, table->count * sizeof *functions);
    module->functions = functions;
    module->count = table->count;
    for (size_t i = 0; i < module->count; i++) {
        const char *name = functions[i].name;
        if (!name || !functions[i].run) {
            return unusable(module, "%s: function %zu lacks its name or its address", path, i);
        }
        if (ili_name_check(name, strlen(name), &why) != IL_OK) {
            return unusable(module, "%s: function %zu: %s", path, i, why);
        }
        if (strncmp(name, RESERVED, strlen(RESERVED)) == 0) {
            return unusable(module, "%s: \"%s\": names that begin with \"" RESERVED "\" are taken",
                            path, name);
        }
    }
    qsort(functions, module->count, sizeof *functions, by_name);
    for (size_t i = 1; i < module->count; i++) {
        if (strcmp(functions[i - 1].name, functions[i].name) == 0) {
            return unusable(module, "%s has two functions \"%s\"", path, functions[i].name);
        }
    }
    const char *file = strrchr(path, '/');
    module->name = table->name ? table->name : file ? file + 1 : path;
    return true;
}

bool worker_module_load(const char *path, struct worker_module *module) {
    char here[4096];
    entry_function *entry;
    *module = (struct worker_module){0};
    if (!strchr(path, '/')) { /* a file is meant, not a library of the system */
        snprintf(here, sizeof here, "./%s", path);
        path = here;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return unusable(module, "cannot load the module: %s", dlerror());
    void *symbol = dlsym(library, ENTRY);
    if (!symbol) {
        return unusable(module, "%s exports no " ENTRY "(): it is not a module of Interlock", path);
    }
    memcpy(&entry, &symbol, sizeof entry); /* C has no conversion between the two */
    const il_module *table = entry(IL_MODULE_ABI_VERSION);
    if (!table) return unusable(module, "%s: " ENTRY "() returned NULL", path);
    return read_table(path, table, module);
}

static int compare_name(const void *name, const void *function) {
    return strcmp(name, ((const il_module_function *)function)->name);
}

il_status (*worker_module_function(const struct worker_module *module,
                                   const char *name))(il_call *) {
    const il_module_function *found =
        bsearch(name, module->functions, module->count, sizeof *module->functions, compare_name);
    return found ? found->run : NULL;
}
