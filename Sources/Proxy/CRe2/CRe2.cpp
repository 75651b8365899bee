#include "CRe2.h"
