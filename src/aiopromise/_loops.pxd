from aiopromise._engine.queue cimport Queue
from aiopromise._engine.state cimport State, pending

cdef object _ATTRIBUTE, _NOTHING, _get_running_loop, _promise_class


cpdef bint is_promise(value)
cpdef object new_promise(call, arguments=*, named=*)
cpdef Queue running_queue(call, arguments=*, named=*)
