/* What test pages have: relay.js and the packages that it may use, as globals. */
import JSMpeg from "@cycjimmy/jsmpeg-player";
import axios from "axios";
import mpegts from "mpegts.js";
import * as relay from "../relay/src/index.js";
import "../relay/src/data-element.js";
import "../relay/src/video-element.js";

Object.assign(window, { relay, JSMpeg, axios, mpegts });
