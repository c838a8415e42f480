#ifndef CSTART_H
#define CSTART_H

// What m2m-proxy does before any other code of it or of its libraries runs. Nothing calls it: to link it is enough.

#endif
