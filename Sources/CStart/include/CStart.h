#ifndef CSTART_H
#define CSTART_H

// Runs before any other code of m2m-proxy and its libraries. Nothing calls it: linking it is enough.

#endif
