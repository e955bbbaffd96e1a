#include "data.h"

#include "codec.h"

int ilpy_data_arguments(PyObject *args, PyObject *kwargs, const char *format,
                        struct ilpy_data_arguments *a) {
    static char *names[] = {"domain",          "name",      "codec", "max_entries",
                            "max_entry_bytes", "max_bytes", NULL};
    static const char *const limits[] = {"max_entries", "max_entry_bytes", "max_bytes"};
    PyObject *domain, *given[3] = {NULL, NULL, NULL};
    a->name_object = NULL;
    a->codec = ILPY_JSON;
    a->limits = (il_data_options){.struct_bytes = sizeof a->limits};
    uint64_t *const room[] = {&a->limits.max_entries, &a->limits.max_entry_bytes,
                              &a->limits.max_bytes};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &domain, &a->name_object,
                                     &a->codec, &given[0], &given[1], &given[2])) {
        return -1;
    }
    a->domain = ilpy_domain_of(domain);
    if (!a->domain || ilpy_name(a->name_object, &a->name, &a->name_bytes) != 0) return -1;
    bool limited = false;
    for (int i = 0; i < 3; i++) {
        if (given[i] && ilpy_u64(given[i], limits[i], room[i]) != 0) return -1;
        limited = limited || *room[i];
    }
    a->options = limited ? &a->limits : NULL;
    return ilpy_codec_check(a->codec);
}
