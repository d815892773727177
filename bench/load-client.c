/*
 * A load client on OpenAFS's own client library: what a fileserver is measured with, so that two servers meet the same client.
 *
 *     load-client HOST PORT VOLUME
 *
 * Reads questions from standard input, one a line, and answers each with one line: a figure, or "error CODE WHAT". Every question
 * ends after a bounded time. The volume's root must be open to everybody.
 *
 *     time CALLERS CALLS       GetTime, calls a second
 *     status CALLERS CALLS     FetchStatus of the root
 *     prepare STREAMS BYTES    makes files stream-0 ... and stores bytes into them (answers 0)
 *     fetch STREAMS BYTES      FetchData64 of one of these files per stream, MB a second in all
 *     store STREAMS BYTES      StoreData64 of one of these files per stream
 *     create CALLERS PAIRS     CreateFile and RemoveFile of empty files in the root, pairs a second
 *     populate COUNT           makes that many empty files in the root, if they are not there (answers 0)
 *     keep 1                   writes what was populated to FIDS in the current folder, for other clients (answers 0)
 *     know COUNT               reads it (answers 0)
 *     bulk CALLERS NAMES       InlineBulkStatus of populated files, 50 at a time, from the first on again and again, names a second
 *
 * Build: gcc -O2 -pthread load-client.c /usr/lib/afs/libafsint.a /usr/lib/libafsrpc.a (package libopenafs-dev).
 */
#include <afs/param.h>
#include <afs/stds.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <rx/rx.h>
#include <rx/rx_null.h>
#include <rx/xdr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <afs/afsint.h>
#define FSINT_COMMON_XG 1
#include <afs/afscbint.h>

#define CALLERS_MAX 64
#define SECONDS_MAX 30
#define PREPARATION_SECONDS_MAX 180
#define BULK_MAX 50
#define PIECE 65536

/* Two functions that the packaged library wants of libraries which are not packaged. */

int hc_RAND_bytes(void *bytes, size_t count) { return getrandom(bytes, count, 0) == (ssize_t)count; }
int rk_socket(int domain, int type, int protocol) { return socket(domain, type, protocol); }

/* What the server asks of a client before it serves it, and tells it afterwards. */

static afsUUID ourUuid;

static void aboutUs(struct interfaceAddr *addr) {
  memset(addr, 0, sizeof(*addr));
  addr->uuid = ourUuid;
}

afs_int32 SRXAFSCB_CallBack(struct rx_call *call, AFSCBFids *fids, AFSCBs *callbacks) { return 0; }
afs_int32 SRXAFSCB_InitCallBackState(struct rx_call *call) { return 0; }
afs_int32 SRXAFSCB_InitCallBackState3(struct rx_call *call, afsUUID *server) { return 0; }
afs_int32 SRXAFSCB_Probe(struct rx_call *call) { return 0; }

afs_int32 SRXAFSCB_ProbeUuid(struct rx_call *call, afsUUID *client) {
  return memcmp(client, &ourUuid, sizeof(ourUuid)) == 0 ? 0 : 1;
}

afs_int32 SRXAFSCB_InitCallBackState2(struct rx_call *call, struct interfaceAddr *addr) { return RXGEN_OPCODE; }

afs_int32 SRXAFSCB_WhoAreYou(struct rx_call *call, struct interfaceAddr *addr) {
  aboutUs(addr);
  return 0;
}

afs_int32 SRXAFSCB_TellMeAboutYourself(struct rx_call *call, struct interfaceAddr *addr, Capabilities *capabilities) {
  aboutUs(addr);
  capabilities->Capabilities_len = 0;
  capabilities->Capabilities_val = NULL;
  return 0;
}

afs_int32 SRXAFSCB_GetLock(struct rx_call *call, afs_int32 index, AFSDBLock *lock) { return RXGEN_OPCODE; }
afs_int32 SRXAFSCB_GetCE(struct rx_call *call, afs_int32 index, AFSDBCacheEntry *entry) { return RXGEN_OPCODE; }
afs_int32 SRXAFSCB_GetCE64(struct rx_call *call, afs_int32 index, AFSDBCacheEntry64 *entry) { return RXGEN_OPCODE; }
afs_int32 SRXAFSCB_XStatsVersion(struct rx_call *call, afs_int32 *version) { return RXGEN_OPCODE; }
afs_int32 SRXAFSCB_GetXStats(struct rx_call *call, afs_int32 client, afs_int32 collection, afs_int32 *server,
                             afs_int32 *time, AFSCB_CollData *data) {
  return RXGEN_OPCODE;
}
afs_int32 SRXAFSCB_GetServerPrefs(struct rx_call *call, afs_int32 index, afs_int32 *address, afs_int32 *rank) {
  return RXGEN_OPCODE;
}
afs_int32 SRXAFSCB_GetCellServDB(struct rx_call *call, afs_int32 index, char **name, serverList *hosts) {
  return RXGEN_OPCODE;
}
afs_int32 SRXAFSCB_GetLocalCell(struct rx_call *call, char **name) { return RXGEN_OPCODE; }
afs_int32 SRXAFSCB_GetCacheConfig(struct rx_call *call, afs_uint32 caller, afs_uint32 *version, afs_uint32 *count,
                                  cacheConfig *config) {
  return RXGEN_OPCODE;
}
afs_int32 SRXAFSCB_GetCellByNum(struct rx_call *call, afs_int32 number, char **name, serverList *hosts) {
  return RXGEN_OPCODE;
}

/* The server, and what we made there. */

static struct rx_connection *connections[CALLERS_MAX];
static AFSFid root;
static AFSFid streamFids[CALLERS_MAX];
static AFSFid *populated;
static int populatedCount;
static char *piece;

static struct rx_connection *connectionOf(int caller) { return connections[caller / 4]; }

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* Clients retry what a server answers for a while at their first calls. */
static int isPassing(int code) { return code == 110 || code == -100; }

/* One question: callers that each do the same work until all of it is done, or the time is over. */

struct question {
  int (*work)(struct question *, int caller, long turn);
  long turns;
  long bytes;
  int isPreparation;
  double deadline;
  long next;
  long done;
  int error;
};

struct caller {
  pthread_t thread;
  struct question *question;
  int number;
};

static void *callerLoop(void *argument) {
  struct caller *me = argument;
  struct question *question = me->question;
  while (__atomic_load_n(&question->error, __ATOMIC_RELAXED) == 0 && now() < question->deadline) {
    long turn = __atomic_fetch_add(&question->next, 1, __ATOMIC_RELAXED);
    if (turn >= question->turns) break;
    int code = question->work(question, me->number, turn);
    for (int tries = 0; isPassing(code) && tries < 100; tries++) {
      usleep(20000);
      code = question->work(question, me->number, turn);
    }
    if (code != 0) {
      __atomic_store_n(&question->error, code, __ATOMIC_RELAXED);
      break;
    }
    __atomic_fetch_add(&question->done, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

/* Turns a second; negative if one failed, with the code in the question. */
static double run(struct question *question, int callers) {
  struct caller all[CALLERS_MAX];
  double begin = now();
  question->deadline = begin + (question->isPreparation ? PREPARATION_SECONDS_MAX : SECONDS_MAX);
  for (int number = 0; number < callers; number++) {
    all[number].question = question;
    all[number].number = number;
    pthread_create(&all[number].thread, NULL, callerLoop, &all[number]);
  }
  for (int number = 0; number < callers; number++) pthread_join(all[number].thread, NULL);
  return question->error != 0 ? -1 : question->done / (now() - begin);
}

static int getTime(struct question *question, int caller, long turn) {
  afs_uint32 seconds, microseconds;
  return RXAFS_GetTime(connectionOf(caller), &seconds, &microseconds);
}

static int fetchStatus(struct question *question, int caller, long turn) {
  AFSFetchStatus status;
  AFSCallBack callback;
  AFSVolSync sync;
  return RXAFS_FetchStatus(connectionOf(caller), &root, &status, &callback, &sync);
}

static int fetchFile(struct question *question, int caller, long turn) {
  struct rx_call *call = rx_NewCall(connectionOf(caller));
  AFSFetchStatus status;
  AFSCallBack callback;
  AFSVolSync sync;
  afs_int32 word;
  char *buffer = malloc(PIECE);
  int code = StartRXAFS_FetchData64(call, &streamFids[caller], 0, question->bytes);
  long length = 0;
  for (int half = 0; half < 2 && code == 0; half++) {
    if (rx_Read(call, (char *)&word, sizeof(word)) != sizeof(word)) code = 1;
    length = length * 4294967296L + ntohl(word);
  }
  if (code == 0 && length != question->bytes) code = 2;
  for (long left = length; left > 0 && code == 0;) {
    int wanted = left < PIECE ? (int)left : PIECE;
    int got = rx_Read(call, buffer, wanted);
    if (got <= 0) code = 3;
    left -= got;
  }
  if (code == 0) code = EndRXAFS_FetchData64(call, &status, &callback, &sync);
  free(buffer);
  return rx_EndCall(call, code);
}

static int storeFile(struct question *question, int caller, long turn) {
  struct rx_call *call = rx_NewCall(connectionOf(caller));
  AFSStoreStatus change;
  AFSFetchStatus status;
  AFSVolSync sync;
  memset(&change, 0, sizeof(change));
  change.Mask = AFS_SETMODTIME;
  change.ClientModTime = time(NULL);
  int code = StartRXAFS_StoreData64(call, &streamFids[caller], &change, 0, question->bytes, question->bytes);
  for (long left = question->bytes; left > 0 && code == 0;) {
    int wanted = left < PIECE ? (int)left : PIECE;
    if (rx_Write(call, piece, wanted) != wanted) break;
    left -= wanted;
  }
  if (code == 0) code = EndRXAFS_StoreData64(call, &status, &sync);
  return rx_EndCall(call, code);
}

static int createFile(int caller, const char *name, AFSFid *fid) {
  AFSStoreStatus change;
  AFSFetchStatus status, directory;
  AFSCallBack callback;
  AFSVolSync sync;
  memset(&change, 0, sizeof(change));
  change.Mask = AFS_SETMODE;
  change.UnixModeBits = 0644;
  return RXAFS_CreateFile(connectionOf(caller), &root, (char *)name, &change, fid, &status, &directory, &callback,
                          &sync);
}

static int removeFile(int caller, const char *name) {
  AFSFetchStatus directory;
  AFSVolSync sync;
  return RXAFS_RemoveFile(connectionOf(caller), &root, (char *)name, &directory, &sync);
}

static int createAndRemove(struct question *question, int caller, long turn) {
  char name[32];
  AFSFid fid;
  snprintf(name, sizeof(name), "pair-%ld", turn);
  int code = createFile(caller, name, &fid);
  return code != 0 ? code : removeFile(caller, name);
}

/* Makes a file anew, whatever is there. */
static int createAgain(int caller, const char *name, AFSFid *fid) {
  int code = createFile(caller, name, fid);
  if (code != EEXIST) return code;
  code = removeFile(caller, name);
  return code != 0 ? code : createFile(caller, name, fid);
}

static int prepareFile(struct question *question, int caller, long turn) {
  char name[32];
  snprintf(name, sizeof(name), "stream-%ld", turn);
  int code = createAgain(caller, name, &streamFids[turn]);
  return code != 0 ? code : storeFile(question, (int)turn, turn);
}

static int populateFile(struct question *question, int caller, long turn) {
  char name[48];
  snprintf(name, sizeof(name), "file-with-some-name-%ld", turn);
  return createAgain(caller, name, &populated[turn]);
}

static int bulkStatus(struct question *question, int caller, long turn) {
  AFSCBFids fids = {BULK_MAX, populated + turn % (populatedCount / BULK_MAX) * BULK_MAX};
  AFSBulkStats statuses = {0, NULL};
  AFSCBs callbacks = {0, NULL};
  AFSVolSync sync;
  int code = RXAFS_InlineBulkStatus(connectionOf(caller), &fids, &statuses, &callbacks, &sync);
  if (code == 0 && statuses.AFSBulkStats_len != BULK_MAX) code = 4;
  for (int index = 0; code == 0 && index < BULK_MAX; index++)
    if (statuses.AFSBulkStats_val[index].errorCode != 0) code = statuses.AFSBulkStats_val[index].errorCode;
  free(statuses.AFSBulkStats_val);
  free(callbacks.AFSCBs_val);
  return code;
}

/* Several clients ask for the files that one of them made. */
static int exchangeFids(int count, int isRead) {
  FILE *file = fopen("FIDS", isRead ? "r" : "w");
  if (file == NULL) return errno;
  if (isRead) populated = realloc(populated, count * sizeof(AFSFid));
  size_t done = isRead ? fread(populated, sizeof(AFSFid), count, file) : fwrite(populated, sizeof(AFSFid), count, file);
  populatedCount = (int)done;
  return fclose(file) != 0 || done != (size_t)count ? EIO : 0;
}

static void tell(struct question *question, double figure, const char *what) {
  if (question->error != 0)
    printf("error %d %s\n", question->error, what);
  else
    printf("%.3f\n", figure);
  fflush(stdout);
}

static void answer(const char *what, long first, long second) {
  struct question question;
  memset(&question, 0, sizeof(question));
  int callers = first < CALLERS_MAX ? (int)first : CALLERS_MAX;
  question.turns = second;
  question.bytes = second;
  if (strcmp(what, "time") == 0) {
    question.work = getTime;
    tell(&question, run(&question, callers), what);
  } else if (strcmp(what, "status") == 0) {
    question.work = fetchStatus;
    tell(&question, run(&question, callers), what);
  } else if (strcmp(what, "create") == 0) {
    question.work = createAndRemove;
    tell(&question, run(&question, callers), what);
  } else if (strcmp(what, "prepare") == 0) {
    question.work = prepareFile;
    question.isPreparation = 1;
    question.turns = callers;
    tell(&question, run(&question, 1) * 0, what);
  } else if (strcmp(what, "fetch") == 0 || strcmp(what, "store") == 0) {
    question.work = what[0] == 'f' ? fetchFile : storeFile;
    question.turns = callers;
    tell(&question, run(&question, callers) * question.bytes / 1e6, what);
  } else if (strcmp(what, "populate") == 0) {
    populated = realloc(populated, first * sizeof(AFSFid));
    question.work = populateFile;
    question.isPreparation = 1;
    question.turns = first;
    tell(&question, run(&question, 4) * 0, what);
    populatedCount = (int)question.done;
  } else if (strcmp(what, "keep") == 0 || strcmp(what, "know") == 0) {
    question.error = exchangeFids(what[1] == 'e' ? populatedCount : (int)first, what[1] == 'n');
    tell(&question, 0, what);
  } else if (strcmp(what, "bulk") == 0) {
    question.work = bulkStatus;
    question.turns = populatedCount < BULK_MAX ? 0 : second / BULK_MAX;
    tell(&question, run(&question, callers) * BULK_MAX, what);
  } else {
    question.error = 1;
    tell(&question, 0, "question");
  }
}

int main(int count, char **words) {
  char line[256], what[32];
  struct in_addr host;
  if (count != 4 || inet_aton(words[1], &host) == 0) {
    fprintf(stderr, "load-client HOST PORT VOLUME\n");
    return 2;
  }
  root.Volume = strtoul(words[3], NULL, 10);
  root.Vnode = 1;
  root.Unique = 1;
  piece = malloc(PIECE);
  for (int index = 0; index < PIECE; index++) piece[index] = (char)(index * 31);
  ourUuid.time_low = getpid();
  ourUuid.time_mid = (unsigned short)time(NULL);
  ourUuid.node[0] = 2;
  if (rx_Init(0) != 0) return 1;
  rx_SetRxDeadTime(30);
  struct rx_securityClass *server = rxnull_NewServerSecurityObject();
  struct rx_service *service = rx_NewService(0, 1, "afs", &server, 1, RXAFSCB_ExecuteRequest);
  if (service == NULL) return 1;
  rx_SetMinProcs(service, 2);
  rx_SetMaxProcs(service, 4);
  rx_StartServer(0);
  for (int index = 0; index < CALLERS_MAX / 4; index++) {
    connections[index] =
        rx_NewConnection(host.s_addr, htons(atoi(words[2])), 1, rxnull_NewClientSecurityObject(), 0);
    rx_SetConnHardDeadTime(connections[index], 2 * SECONDS_MAX);
  }
  while (fgets(line, sizeof(line), stdin) != NULL) {
    long first = 0, second = 0;
    if (sscanf(line, "%31s %ld %ld", what, &first, &second) >= 2 && first > 0) answer(what, first, second);
  }
  return 0;
}
