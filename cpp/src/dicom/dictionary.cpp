#include "dictionary.h"

#include <gdcmDictEntry.h>
#include <gdcmDicts.h>
#include <gdcmGlobal.h>
#include <gdcmVersion.h>
#include <openssl/crypto.h>
#include <zlib.h>

namespace spinekit {
namespace {

const gdcm::Dicts& dicts() {
  static const gdcm::Dicts& loaded = gdcm::Global::GetInstance().GetDicts();
  return loaded;
}

Vr resolve(const gdcm::VR& vr, VrContext context) {
  switch (vr) {
    case gdcm::VR::US_SS:
      return context.signed_pixels ? Vr("SS") : Vr("US");
    case gdcm::VR::OB_OW:
    case gdcm::VR::US_OW:
    case gdcm::VR::US_SS_OW:
      return Vr("OW");  // implicit VR little endian has OW for all of these (PS3.5 A.1)
    case gdcm::VR::INVALID:
    case gdcm::VR::UN:
      return {};
    default:
      break;
  }
  const char* name = gdcm::VR::GetVRString(vr);
  if (name == nullptr || name[0] < 'A' || name[0] > 'Z' || name[1] < 'A' || name[1] > 'Z' ||
      name[2] != '\0') {
    return {};
  }
  return {name[0], name[1]};
}

}  // namespace

Vr dictionary_vr(Tag tag, const std::string& private_creator, VrContext context) {
  if (tag.is_private()) {
    if (tag.element >= 0x0010 && tag.element <= 0x00FF) return Vr("LO");
    if (private_creator.empty()) return {};
    const gdcm::PrivateTag key(tag.group, static_cast<std::uint16_t>(tag.element & 0x00FFU),
                               private_creator.c_str());
    return resolve(dicts().GetPrivateDict().GetDictEntry(key).GetVR(), context);
  }
  // Curves and overlays repeat over even groups; the dictionary has the first (PS3.5 7.6).
  const auto family = static_cast<std::uint16_t>(tag.group & 0xFF00U);
  const std::uint16_t group = family == 0x5000 || family == 0x6000 ? family : tag.group;
  return resolve(dicts().GetPublicDict().GetDictEntry(gdcm::Tag(group, tag.element)).GetVR(),
                 context);
}

std::vector<std::pair<std::string, std::string>> dicom_versions() {
  return {{"GDCM", gdcm::Version::GetVersion()},
          {"zlib", zlibVersion()},
          {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)}};
}

}  // namespace spinekit
