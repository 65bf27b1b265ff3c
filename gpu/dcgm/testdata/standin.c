// A stand-in for NVIDIA's libdcgm.so.4: the functions that go-dcgm calls, which say what
// the file $DCGM_STAND_IN says at the time of the call. Its lines:
//
//   gpus N                        GPUs 0 to N-1
//   engine N                      which run of the host engine this is: handles of others are invalid; 0: it is down
//   frozen                        the host engine answers, and reads the GPUs no more
//   value GPU FIELD i|d|s VALUE   GPU * is all
//   status GPU FIELD CODE         the field has a status and no value
//   xid GPU NUMBER TIMESTAMP      a sample of the field 230
//   violate GPU XID               a policy violation, told once by a thread of the library's own
//   incident GPU HEALTH TEXT      told by each health check but the first of a group
//   count FUNCTION N              it says that it has N of what it lists
//   fail FUNCTION CODE   slow FUNCTION MS   hang FUNCTION
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dcgm_agent.h"
#include "dcgm_structs.h"

#define LINES 4096
#define GROUPS 64
#define FIELDS 2048

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char script[LINES][160];
static int lines;
static struct stat read_from;

static struct { int used, health, asked; } groups[GROUPS];
static struct { int used; int n; unsigned short ids[128]; } field_groups[GROUPS];
static char watched[FIELDS];
static dcgmPolicyCondition_t policy;
static fpRecvUpdates receiver;
static uint64_t receiver_data;

static void *tell(void *arg) {
    fpRecvUpdates to;
    uint64_t data;
    int gpu, xid;
    sscanf(arg, "violate %d %d", &gpu, &xid);
    free(arg);
    pthread_mutex_lock(&lock);
    to = receiver, data = receiver_data;
    pthread_mutex_unlock(&lock);
    dcgmPolicyCallbackResponse_t r;
    memset(&r, 0, sizeof r);
    r.version = dcgmPolicyCallbackResponse_version2;
    r.condition = DCGM_POLICY_COND_XID;
    r.gpuId = gpu;
    r.val.xid.errnum = xid;
    r.val.xid.timestamp = 1;
    if (to) to(&r, data);
    return NULL;
}

// The caller holds the lock.
static void load(void) {
    const char *path = getenv("DCGM_STAND_IN");
    struct stat now;
    if (!path || stat(path, &now) != 0) { fprintf(stderr, "stand-in: no script\n"); abort(); }
    if (now.st_ino == read_from.st_ino && now.st_mtim.tv_nsec == read_from.st_mtim.tv_nsec && now.st_mtim.tv_sec == read_from.st_mtim.tv_sec) return;
    read_from = now;
    FILE *f = fopen(path, "r");
    for (lines = 0; lines < LINES && fgets(script[lines], sizeof script[0], f); lines++) {
        script[lines][strcspn(script[lines], "\n")] = 0;
        pthread_t t;
        if (strncmp(script[lines], "violate ", 8) == 0 && pthread_create(&t, NULL, tell, strdup(script[lines])) == 0) pthread_detach(t);
    }
    fclose(f);
}

// The next line after i that begins with these words; -1 if there is none.
static int find(int i, const char *words) {
    size_t n = strlen(words);
    for (i++; i < lines; i++)
        if (strncmp(script[i], words, n) == 0 && (script[i][n] == ' ' || script[i][n] == 0)) return i;
    return -1;
}

static int setting(const char *words, int otherwise) {
    int i = find(-1, words);
    return i < 0 ? otherwise : atoi(script[i] + strlen(words));
}

// Begins a function: takes the lock, and does what the script says of it.
static dcgmReturn_t begin(const char *function) {
    char words[80];
    pthread_mutex_lock(&lock);
    load();
    snprintf(words, sizeof words, "slow %s", function);
    int ms = setting(words, 0);
    if (ms) { pthread_mutex_unlock(&lock); usleep(ms * 1000); pthread_mutex_lock(&lock); load(); }
    snprintf(words, sizeof words, "hang %s", function);
    while (find(-1, words) >= 0) { pthread_mutex_unlock(&lock); usleep(2000); pthread_mutex_lock(&lock); load(); }
    snprintf(words, sizeof words, "fail %s", function);
    return setting(words, DCGM_ST_OK);
}

static dcgmReturn_t end(dcgmReturn_t r) { pthread_mutex_unlock(&lock); return r; }

static int engine(void) { return setting("engine", 1); }

static dcgmReturn_t begin_on(dcgmHandle_t h, const char *function) {
    dcgmReturn_t r = begin(function);
    if (r == DCGM_ST_OK && (engine() == 0 || (int)(h >> 8) != engine())) r = DCGM_ST_CONNECTION_NOT_VALID;
    return r;
}

static void forget(void) {
    memset(groups, 0, sizeof groups), memset(field_groups, 0, sizeof field_groups), memset(watched, 0, sizeof watched);
    receiver = NULL, policy = 0;
}

#define BEGIN(f) dcgmReturn_t r = begin(#f); if (r != DCGM_ST_OK) return end(r)
#define BEGIN_ON(f) dcgmReturn_t r = begin_on(h, #f); if (r != DCGM_ST_OK) return end(r)

const char *errorString(dcgmReturn_t r) {
    switch (r) {
    case DCGM_ST_OK: return "Success";
    case DCGM_ST_VER_MISMATCH: return "API version mismatch";
    case DCGM_ST_CONNECTION_NOT_VALID: return "Host engine connection invalid/disconnected";
    case DCGM_ST_TIMEOUT: return "Timeout";
    case DCGM_ST_MAX_LIMIT: return "Max limit reached for the object";
    default: return "Some error";
    }
}

dcgmReturn_t dcgmInit(void) { BEGIN(dcgmInit); return end(r); }
dcgmReturn_t dcgmShutdown(void) { BEGIN(dcgmShutdown); forget(); return end(r); }

static dcgmReturn_t opened(dcgmHandle_t *h) {
    if (engine() == 0) return DCGM_ST_CONNECTION_NOT_VALID;
    *h = (dcgmHandle_t)engine() << 8 | 1;
    return DCGM_ST_OK;
}

dcgmReturn_t dcgmStartEmbedded(dcgmOperationMode_t mode, dcgmHandle_t *h) { BEGIN(dcgmStartEmbedded); return end(opened(h)); }
dcgmReturn_t dcgmStopEmbedded(dcgmHandle_t h) { BEGIN(dcgmStopEmbedded); return end(r); }
dcgmReturn_t dcgmDisconnect(dcgmHandle_t h) { BEGIN(dcgmDisconnect); forget(); return end(r); }

dcgmReturn_t dcgmConnect_v2(const char *address, dcgmConnectV2Params_t *p, dcgmHandle_t *h) {
    BEGIN(dcgmConnect_v2);
    if (p->version != dcgmConnectV2Params_version2) return end(DCGM_ST_VER_MISMATCH);
    int is_path = address[0] == '/';
    if (is_path != (int)p->addressIsUnixSocket) return end(DCGM_ST_BADPARAM);
    return end(opened(h));
}

dcgmReturn_t dcgmGetAllSupportedDevices(dcgmHandle_t h, unsigned int ids[DCGM_MAX_NUM_DEVICES], int *count) {
    BEGIN_ON(dcgmGetAllSupportedDevices);
    int n = setting("gpus", 1);
    for (int i = 0; i < n && i < DCGM_MAX_NUM_DEVICES; i++) ids[i] = i;
    *count = setting("count dcgmGetAllSupportedDevices", n);
    return end(r);
}

dcgmReturn_t dcgmGroupCreate(dcgmHandle_t h, dcgmGroupType_t type, const char *name, dcgmGpuGrp_t *g) {
    BEGIN_ON(dcgmGroupCreate);
    for (int i = 0; i < GROUPS; i++)
        if (!groups[i].used) { groups[i].used = 1, groups[i].health = groups[i].asked = 0, *g = i; return end(r); }
    return end(DCGM_ST_MAX_LIMIT);
}

static int known(dcgmGpuGrp_t g) { return g < GROUPS && groups[g].used; }

dcgmReturn_t dcgmGroupDestroy(dcgmHandle_t h, dcgmGpuGrp_t g) {
    BEGIN_ON(dcgmGroupDestroy);
    if (known(g)) groups[g].used = 0;
    return end(r);
}

dcgmReturn_t dcgmGroupGetInfo(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmGroupInfo_t *info) {
    BEGIN_ON(dcgmGroupGetInfo);
    if (info->version != dcgmGroupInfo_version3) return end(DCGM_ST_VER_MISMATCH);
    if (!known(g)) return end(DCGM_ST_NOT_CONFIGURED);
    info->count = setting("gpus", 1);
    for (unsigned i = 0; i < info->count; i++) info->entityList[i].entityGroupId = DCGM_FE_GPU, info->entityList[i].entityId = i;
    info->count = setting("count dcgmGroupGetInfo", info->count);
    return end(r);
}

dcgmReturn_t dcgmFieldGroupCreate(dcgmHandle_t h, int n, const unsigned short *ids, const char *name, dcgmFieldGrp_t *g) {
    BEGIN_ON(dcgmFieldGroupCreate);
    for (int i = 0; i < GROUPS; i++)
        if (!field_groups[i].used) {
            field_groups[i].used = 1, field_groups[i].n = n, *g = i;
            memcpy(field_groups[i].ids, ids, n * sizeof *ids);
            return end(r);
        }
    return end(DCGM_ST_MAX_LIMIT);
}

dcgmReturn_t dcgmFieldGroupDestroy(dcgmHandle_t h, dcgmFieldGrp_t g) { BEGIN_ON(dcgmFieldGroupDestroy); field_groups[g].used = 0; return end(r); }

dcgmReturn_t dcgmWatchFields(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmFieldGrp_t f, long long every, double age, int samples) {
    BEGIN_ON(dcgmWatchFields);
    if (!known(g) || f >= GROUPS || !field_groups[f].used || every <= 0) return end(DCGM_ST_BADPARAM);
    for (int i = 0; i < field_groups[f].n; i++) watched[field_groups[f].ids[i]] = 1;
    return end(r);
}

dcgmReturn_t dcgmUpdateAllFields(dcgmHandle_t h, int wait) { BEGIN_ON(dcgmUpdateAllFields); return end(r); }

static int64_t now_us(void) {
    static int64_t last;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (find(-1, "frozen") < 0 || !last) last = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    return last;
}

// The last line of the script that is about the field of the GPU.
static const char *line_of(const char *kind, int gpu, int field) {
    char own[40], all[40];
    snprintf(own, sizeof own, "%s %d %d", kind, gpu, field), snprintf(all, sizeof all, "%s * %d", kind, field);
    const char *last = NULL;
    for (int i = find(-1, own); i >= 0; i = find(i, own)) last = script[i] + strlen(own);
    if (last) return last;
    for (int i = find(-1, all); i >= 0; i = find(i, all)) last = script[i] + strlen(all);
    return last;
}

static void fill(dcgmFieldValue_v1 *v, int gpu, int field) {
    memset(v, 0xAA, sizeof *v); // what nobody wrote is no zero
    v->version = dcgmFieldValue_version1, v->fieldId = field, v->fieldType = DCGM_FT_INT64;
    v->status = DCGM_ST_NO_DATA, v->ts = 0, v->value.i64 = DCGM_INT64_BLANK;
    if (!watched[field]) { v->status = DCGM_ST_NOT_WATCHED; return; }
    const char *line = line_of("status", gpu, field);
    if (line) { v->status = atoi(line); return; }
    if (!(line = line_of("value", gpu, field))) return;
    v->status = DCGM_ST_OK, v->ts = now_us(), v->fieldType = line[1];
    switch (line[1]) {
    case DCGM_FT_INT64: v->value.i64 = strtoll(line + 3, NULL, 0); break;
    case DCGM_FT_DOUBLE: v->value.dbl = strtod(line + 3, NULL); break;
    case DCGM_FT_STRING: strcpy(v->value.str, line + 3); break;
    }
}

dcgmReturn_t dcgmGetLatestValuesForFields(dcgmHandle_t h, int gpu, unsigned short fields[], unsigned int n, dcgmFieldValue_v1 values[]) {
    BEGIN_ON(dcgmGetLatestValuesForFields);
    for (unsigned i = 0; i < n; i++) fill(&values[i], gpu, fields[i]);
    return end(r);
}

dcgmReturn_t dcgmGetValuesSince_v2(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmFieldGrp_t f, long long since, long long *next,
                                   dcgmFieldValueEntityEnumeration_f tell, void *data) {
    BEGIN_ON(dcgmGetValuesSince_v2);
    *next = since;
    for (int i = find(-1, "xid"); i >= 0; i = find(i, "xid")) {
        int gpu, number;
        long long at;
        sscanf(script[i], "xid %d %d %lld", &gpu, &number, &at);
        if (at < since) continue;
        dcgmFieldValue_v1 v;
        memset(&v, 0xAA, sizeof v);
        v.version = dcgmFieldValue_version1, v.fieldId = 230, v.fieldType = DCGM_FT_INT64, v.status = DCGM_ST_OK, v.ts = at, v.value.i64 = number;
        tell(DCGM_FE_GPU, gpu, &v, 1, data);
        if (at >= *next) *next = at + 1;
    }
    return end(r);
}

dcgmReturn_t dcgmHealthSet(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmHealthSystems_t systems) {
    BEGIN_ON(dcgmHealthSet);
    if (!known(g)) return end(DCGM_ST_BADPARAM);
    groups[g].health = 1;
    return end(r);
}

dcgmReturn_t dcgmHealthCheck(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmHealthResponse_t *out) {
    BEGIN_ON(dcgmHealthCheck);
    if (out->version != dcgmHealthResponse_version5) return end(DCGM_ST_VER_MISMATCH);
    if (!known(g) || !groups[g].health) return end(DCGM_ST_NOT_CONFIGURED);
    out->overallHealth = DCGM_HEALTH_RESULT_PASS, out->incidentCount = 0;
    for (int i = find(-1, "incident"); i >= 0 && groups[g].asked; i = find(i, "incident")) {
        dcgmIncidentInfo_t *it = &out->incidents[out->incidentCount++];
        int gpu, health, text;
        sscanf(script[i], "incident %d %d %n", &gpu, &health, &text);
        it->system = DCGM_HEALTH_WATCH_MEM, it->health = health;
        it->entityInfo.entityGroupId = DCGM_FE_GPU, it->entityInfo.entityId = gpu;
        snprintf(it->error.msg, sizeof it->error.msg, "%s", script[i] + text);
        if (health > (int)out->overallHealth) out->overallHealth = health;
    }
    groups[g].asked = 1;
    out->incidentCount = setting("count dcgmHealthCheck", out->incidentCount);
    return end(r);
}

dcgmReturn_t dcgmPolicyGet(dcgmHandle_t h, dcgmGpuGrp_t g, int n, dcgmPolicy_t *p, dcgmStatus_t s) {
    BEGIN_ON(dcgmPolicyGet);
    for (int i = 0; i < n; i++) p[i].condition = policy, p[i].action = DCGM_POLICY_ACTION_NONE;
    return end(r);
}

#ifndef WITHOUT_POLICY_SET
dcgmReturn_t dcgmPolicySet(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmPolicy_t *p, dcgmStatus_t s) {
    BEGIN_ON(dcgmPolicySet);
    if (p->action != DCGM_POLICY_ACTION_NONE) { fprintf(stderr, "stand-in: a policy that resets GPUs\n"); abort(); }
    policy = p->condition;
    return end(r);
}
#endif

dcgmReturn_t dcgmPolicyRegister_v2(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmPolicyCondition_t c, fpRecvUpdates to, uint64_t data) {
    BEGIN_ON(dcgmPolicyRegister_v2);
    receiver = to, receiver_data = data;
    return end(r);
}

dcgmReturn_t dcgmPolicyUnregister(dcgmHandle_t h, dcgmGpuGrp_t g, dcgmPolicyCondition_t c) {
    BEGIN_ON(dcgmPolicyUnregister);
    receiver = NULL;
    return end(r);
}
