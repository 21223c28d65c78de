// What NATS's own client does with a log: each line a message, published asynchronously, and fetched again in order.
//
//   lines publish URL STREAM SUBJECT FILE     lines fetch URL STREAM SUBJECT FILE COUNT
#define _GNU_SOURCE
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(natsStatus status, const char *what) {
  if (status == NATS_OK) return;
  fprintf(stderr, "%s: %s: %s\n", what, natsStatus_GetText(status), nats_GetLastError(NULL));
  exit(1);
}

int main(int count, char **words) {
  if (count < 6) return 2;
  natsConnection *connection = NULL;
  jsCtx *stream = NULL;
  must(natsConnection_ConnectTo(&connection, words[2]), "connect");
  jsOptions options;
  jsOptions_Init(&options);
  options.PublishAsync.MaxPending = 4000;
  options.PublishAsync.StallWait = 60000;
  must(natsConnection_JetStream(&stream, connection, &options), "JetStream");
  if (strcmp(words[1], "publish") == 0) {
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    const char *subjects[] = {words[4]};
    config.Name = words[3];
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    must(js_AddStream(NULL, stream, &config, NULL, NULL), "stream");
    FILE *file = fopen(words[5], "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, file)) > 0) must(js_PublishAsync(stream, words[4], line, (int)length - 1, NULL), "publish");
    jsPubOptions wait;
    jsPubOptions_Init(&wait);
    wait.MaxWait = 600000;
    must(js_PublishAsyncComplete(stream, &wait), "acknowledgements");
  } else {
    long left = atol(words[6]);
    jsSubOptions how;
    jsSubOptions_Init(&how);
    how.Stream = words[3];
    how.Config.AckPolicy = js_AckNone;
    natsSubscription *subscription = NULL;
    must(js_PullSubscribe(&subscription, stream, words[4], NULL, NULL, &how, NULL), "subscribe");
    FILE *file = fopen(words[5], "w");
    while (left > 0) {
      natsMsgList list;
      must(natsSubscription_Fetch(&list, subscription, left < 1000 ? (int)left : 1000, 10000, NULL), "fetch");
      for (int index = 0; index < list.Count; index++) {
        fwrite(natsMsg_GetData(list.Msgs[index]), 1, (size_t)natsMsg_GetDataLength(list.Msgs[index]), file);
        fputc('\n', file);
      }
      left -= list.Count;
      natsMsgList_Destroy(&list);
    }
    if (fclose(file) != 0) return 1;
  }
  jsCtx_Destroy(stream);
  natsConnection_Destroy(connection);
  return 0;
}
