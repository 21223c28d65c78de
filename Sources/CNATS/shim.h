// NATS's own C client, as Debian's libnats-dev installs it.
#include <nats/nats.h>
