"""A measurement that did not come about, with what there is to say about it."""


class Failure(Exception):
    pass
