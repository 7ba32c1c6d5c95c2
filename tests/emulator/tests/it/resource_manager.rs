//! Clouds and folders.

use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, CLOUD_ID, CLOUD_NAME, Emulator, FOLDER_ID, FOLDER_NAME, Message, NARROW_ID, OTHER_FOLDER_ID,
    OTHER_FOLDER_NAME, USER_ID,
};

use crate::client::{Response, call};

const CLOUDS: &str = "/resource-manager/v1/clouds";
const FOLDERS: &str = "/resource-manager/v1/folders";

fn get(cloud: &Emulator, target: &str) -> Response {
    call("GET", target).admin(cloud).send(cloud)
}

fn values<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

#[test]
fn the_seeded_cloud_has_two_folders() {
    let cloud = Emulator::start();
    let clouds = get(&cloud, CLOUDS).ok();
    assert_eq!(values(&clouds["clouds"], "id"), [CLOUD_ID]);
    assert_eq!(clouds["clouds"][0], get(&cloud, &format!("{CLOUDS}/{CLOUD_ID}")).ok());
    assert_eq!(clouds["clouds"][0]["name"], CLOUD_NAME);

    let folders = get(&cloud, &format!("{FOLDERS}?cloudId={CLOUD_ID}")).ok();
    assert_eq!(values(&folders["folders"], "id"), [FOLDER_ID, OTHER_FOLDER_ID]);
    assert_eq!(values(&folders["folders"], "name"), [FOLDER_NAME, OTHER_FOLDER_NAME]);
    let folder = get(&cloud, &format!("{FOLDERS}/{FOLDER_ID}")).ok();
    assert_eq!(folder, folders["folders"][0]);
    let names: Vec<&String> = folder.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "cloudId", "createdAt", "name", "status"]);

    get(&cloud, &format!("{CLOUDS}/b1gnone")).refused(404, 5, "Cloud b1gnone not found");
    get(&cloud, &format!("{FOLDERS}/b1gnone")).refused(404, 5, "Folder b1gnone not found");
    get(&cloud, &format!("{FOLDERS}?cloudId=b1gnone")).refused(404, 5, "Cloud b1gnone not found");
}

#[test]
fn clouds_and_folders_are_added_filtered_and_paged() {
    let cloud = Emulator::start();
    let other = cloud.add_cloud("other-cloud");
    let folders: Vec<String> = ["one", "two", "three"].map(|name| cloud.add_folder(&other, name)).into();
    assert!(folders.iter().all(|id| id.len() == 20 && id.starts_with("b1g")));
    cloud.set_labels(&folders[2], &[("costCentre", "")]);
    let target = format!("{FOLDERS}?cloudId={other}");
    let first = get(&cloud, &target).ok();
    assert_eq!(values(&first["folders"], "id"), folders[..2]);
    let token = first["nextPageToken"].as_str().unwrap();
    let second = get(&cloud, &format!("{target}&pageToken={token}")).ok();
    assert_eq!(values(&second["folders"], "id"), folders[2..]);
    assert_eq!(second["folders"][0]["labels"], json!({"costCentre": ""}));
    assert!(second.get("nextPageToken").is_none());

    let found = get(&cloud, &format!("{target}&filter=name%20%3D%20%22two%22")).ok();
    assert_eq!(values(&found["folders"], "id"), folders[1..2]);
    assert_eq!(get(&cloud, &format!("{FOLDERS}?cloudId={CLOUD_ID}&filter=name%3D%22two%22")).ok(), json!({}));
    let found = get(&cloud, &format!("{CLOUDS}?filter=name%3D%22other-cloud%22")).ok();
    assert_eq!(values(&found["clouds"], "id"), [other]);
    assert_eq!(get(&cloud, FOLDERS).violations(), ["cloudId"]);
    assert_eq!(get(&cloud, &format!("{target}&filter=two")).violations(), ["filter"]);
    assert_eq!(get(&cloud, &format!("{CLOUDS}?cloudId=x")).violations(), ["cloudId"]);
    assert_eq!((cloud.clouds().len(), cloud.folders().len()), (2, 5));
}

#[test]
fn without_rights_there_are_no_clouds_to_see() {
    let cloud = Emulator::start();
    let get = |subject: &str, target: &str| call("GET", target).token(&cloud.issue_token(subject)).send(&cloud);
    assert_eq!(get(NARROW_ID, CLOUDS).ok(), json!({}));
    for target in
        [format!("{CLOUDS}/{CLOUD_ID}"), format!("{FOLDERS}/{FOLDER_ID}"), format!("{FOLDERS}?cloudId={CLOUD_ID}")]
    {
        get(NARROW_ID, &target).refused(403, 7, "Permission denied");
        get(USER_ID, &target).ok();
        call("GET", &target).send(&cloud).refused(401, 16, "missing");
    }
    cloud.withdraw_rights(USER_ID);
    assert_eq!(get(USER_ID, CLOUDS).ok(), json!({}));
}

#[test]
fn a_new_account_brings_its_folder() {
    let cloud = Emulator::start();
    cloud.add_service_account("b1gbrandnew", "robot");
    assert_eq!(get(&cloud, &format!("{FOLDERS}/b1gbrandnew")).ok()["cloudId"], CLOUD_ID);
    cloud.extra_fields(Message::Folder, json!({"newField": 1}));
    cloud.extra_fields(Message::Cloud, json!({"newField": 2}));
    let token = cloud.issue_token(ADMIN_ID);
    let get = |target: &str| call("GET", target).token(&token).send(&cloud).ok();
    assert_eq!(get(&format!("{FOLDERS}/{FOLDER_ID}"))["newField"], 1);
    assert_eq!(get(CLOUDS)["clouds"][0]["newField"], 2);
}
