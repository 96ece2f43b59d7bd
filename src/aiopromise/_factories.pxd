cimport cython
from aiopromise._engine.core cimport fulfil_or_follow, reject_raised, settle, start_or_follow
from aiopromise._engine.state cimport State
from aiopromise._engine.tasks cimport is_awaitable
from aiopromise._loops cimport is_promise, new_promise
from aiopromise._resolvers cimport resolvers_of

cdef Py_ssize_t FULFILLED
cdef object Resolvers, _new_tuple


cpdef object resolve(value=*)
@cython.locals(promise=State)
cpdef object with_resolvers()
