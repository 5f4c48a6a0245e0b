"""Views, found by module name. Each has draw(subject, *, options) -> Finding; its docstring says what it shows and
where that is from, and the options' defaults their types. With TOGETHER it is draw(subjects, *, options)."""
