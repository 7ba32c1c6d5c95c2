//! A key in the hands of a client: the forms that clients and shells read, and the files of AWS clients.

pub mod aws_file;
pub mod forms;
