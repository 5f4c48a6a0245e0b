"""SIGTERM and Ctrl-C: the run saves its state and leaves."""

import os
import signal
import socket
import threading
from collections.abc import Mapping

import keras
import tensorflow as tf


class Signals(keras.callbacks.Callback):
    """Context manager and callback: SIGTERM and SIGINT end the run after the current call, a second one at once.

    `received` is the signal or None. With several workers they agree on the stop: one signal is enough. The previous
    handlers are back on leaving.
    """

    KINDS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self):
        super().__init__()
        self.received: signal.Signals | None = None

    def __enter__(self) -> "Signals":
        # Python runs its handlers between bytecodes, so not before a call of the compiled step returns; the byte that
        # it writes to this socket comes at once, and the thread that reads it sees the second signal.
        reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno())
        self._handlers = {kind: signal.signal(kind, self._receive) for kind in self.KINDS}
        threading.Thread(target=_watch, args=(reader,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for kind, handler in self._handlers.items():
            signal.signal(kind, handler or signal.SIG_DFL)
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()  # ends the thread

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        if self._anyone():
            self.received = self.received or signal.SIGTERM
            self.model.stop_training = True

    def _receive(self, number: int, frame: object) -> None:
        self.received = signal.Signals(number)

    def _anyone(self) -> bool:
        strategy = self.model.distribute_strategy
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return self.received is not None
        flag = tf.constant(float(self.received is not None))
        return float(strategy.reduce("SUM", strategy.run(tf.identity, (flag,)), axis=None)) > 0


def _watch(reader: socket.socket) -> None:
    seen = set()
    while numbers := reader.recv(64):
        for number in set(Signals.KINDS) & set(numbers):
            if number in seen or numbers.count(number) > 1:
                os._exit(128 + number)
            seen.add(number)
            name = signal.Signals(number).name
            os.write(2, f"\n{name}: saving and stopping after this call; once more ends at once\n".encode())
    reader.close()
