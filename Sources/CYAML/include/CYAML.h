// libyaml's event parser, for proxy.conf.
#ifndef CYAML_H
#define CYAML_H

#include <yaml.h>

#endif
