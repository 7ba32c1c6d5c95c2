//! The services, one file each: a route table and the functions behind it.

use crate::route::Route;

mod access_key;
pub(crate) mod browser;
mod endpoint;
pub(crate) mod federation;
pub(crate) mod github;
mod iam_token;
mod jwt;
pub(crate) mod lockbox;
pub(crate) mod metadata;
pub(crate) mod operation;
pub(crate) mod resource_manager;
mod service_account;
pub(crate) mod storage;
pub(crate) mod sts;
mod temporary_access_key;
mod userinfo;

/// All routes of all services.
pub(crate) const ROUTES: &[&[Route]] = &[
    // A bucket may be called as another service's path is.
    storage::ROUTES,
    access_key::ROUTES,
    temporary_access_key::ROUTES,
    iam_token::ROUTES,
    service_account::ROUTES,
    operation::ROUTES,
    resource_manager::ROUTES,
    endpoint::ROUTES,
    metadata::ROUTES,
    federation::ROUTES,
    userinfo::ROUTES,
    github::ROUTES,
    sts::ROUTES,
    lockbox::ROUTES,
    browser::ROUTES,
];
