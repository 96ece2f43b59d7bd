cpdef object copy_context()
cpdef object run_in(object context, object function, object argument)
cpdef object new(object kind)
cpdef object weak_reference(object referent)
