import { rejectCode } from "@adstream/engine/columns";

/** Why a projected field rejects its record, in whatever format it was written. */
export const keySize: number = rejectCode("key empty or longer than 256 bytes");
export const keyNotUtf8: number = rejectCode("key not UTF-8");
export const idSize: number = rejectCode("event id empty or longer than 256 bytes");
export const idNotUtf8: number = rejectCode("event id not UTF-8");
export const notFinite: number = rejectCode("number not finite");
export const outOfRange: number = rejectCode("number out of range");
export const notWhole: number = rejectCode("number not whole");
export const timeOutOfRange: number = rejectCode("timestamp out of range");

/** Of a timestamp, either way: what `Date` can hold. */
export const maxTimeMs = 8.64e15;
