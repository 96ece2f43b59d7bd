from aiopromise._engine.queue cimport Queue
from aiopromise._engine.state cimport State, pending


cpdef bint is_promise(value)
cpdef Queue queue_of(loop)
