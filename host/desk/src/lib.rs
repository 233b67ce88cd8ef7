//! The rules of a service desk, as functions of their arguments: who may see
//! and change what, who gets a ticket, by when it is to be answered, and what
//! a mail that came in is about. Nothing here reads a clock, a database or a
//! socket.
