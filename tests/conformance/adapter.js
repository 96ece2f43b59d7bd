"use strict";

// The adapter that promises-aplus-tests asks for: promises whose every law is kept by the Python library.
//
// engine.py holds the promises, this file holds the JavaScript values, and either knows the other's by number. Here it
// is decided only which values might have a `then` (objects and functions); what follows from that is Python's to do.
// How the two talk is told in engine.py. runner.py starts both and names the two pipes in AIOPROMISE_PIPES.

const fs = require("fs");

const [reading, writing] = process.env.AIOPROMISE_PIPES.split(",").map(Number);

const held = [];

function hold(value) {
    return held.push(value) - 1;
}

// ---- The pipes: every line is a question, or the answer to the latest question not answered yet

function send(message) {
    fs.writeSync(writing, JSON.stringify(message) + "\n");
}

function receive() {
    const buffer = Buffer.alloc(4096);
    let line = "";
    while (!line.endsWith("\n")) {
        const count = fs.readSync(reading, buffer);
        if (count === 0) {
            throw new Error("engine.py has ended");
        }
        line += buffer.toString("latin1", 0, count); // Python writes ASCII
    }
    return JSON.parse(line);
}

function ask(...question) {
    send(question);
    for (;;) {
        const [kind, ...rest] = receive();
        if (kind === "returned") {
            return rest[0];
        }
        if (kind === "thrown") {
            throw settlement(rest[0]);
        }
        send(obey(kind, rest));
    }
}

function obey(name, rest) {
    try {
        return ["returned", questions[name](...rest)];
    } catch (reason) {
        return ["thrown", hold(reason)];
    }
}

// ---- What Python asks

const questions = {
    call(handler, argument) {
        const function_ = held[handler]; // called by a bare name, so that it gets no `this`
        return resolution(function_(settlement(argument)));
    },
    readThen(object) {
        return handlerOrNull(held[object].then);
    },
    callThen(then, object, resolve, reject) {
        held[then].call(held[object], ...resolvers(resolve, reject));
        return null;
    },
};

// ---- What JavaScript asks; whatever it was, it may have left the loop something to run

let pumpIsDue = false;

function command(...question) {
    if (!pumpIsDue) {
        pumpIsDue = true;
        process.nextTick(pump); // before the next timer, even if that is due
    }
    return ask(...question);
}

function pump() {
    try {
        ask("pump");
    } finally {
        pumpIsDue = false;
    }
}

class AdapterPromise {
    constructor(number) {
        this.number = number;
    }

    then(onFulfilled, onRejected) {
        return new AdapterPromise(
            command("then", this.number, handlerOrNull(onFulfilled), handlerOrNull(onRejected)),
        );
    }
}

function resolvers(resolve, reject) {
    return [
        (value) => void command("resolve", resolve, resolution(value)),
        (reason) => void command("reject", reject, hold(reason)),
    ];
}

// ---- Values on their way to Python and back

function handlerOrNull(value) {
    return typeof value === "function" ? hold(value) : null;
}

function resolution(value) {
    if (value instanceof AdapterPromise) {
        return ["promise", value.number];
    }
    const mightHaveThen = (typeof value === "object" && value !== null) || typeof value === "function";
    return [mightHaveThen ? "object" : "primitive", hold(value)];
}

function settlement([kind, content]) {
    if (kind === "held") {
        return held[content];
    }
    return kind === "TypeError" ? new TypeError(content) : new Error(content);
}

exports.deferred = function () {
    const [promise, ...pair] = command("deferred");
    const [resolve, reject] = resolvers(...pair);
    return { promise: new AdapterPromise(promise), resolve, reject };
};
