//! The pages that people see in a browser, made from plain values: templates,
//! the words of two languages, styles and scripts. What is on a page comes from
//! `relata-app`; `relata-server` fetches it and answers with what is made here.
