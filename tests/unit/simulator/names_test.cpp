// The configuration has words of its own for what other modules name: they are the same.
#include "config/model_fields.h"
#include "config/quality_fields.h"
#include "gateway/probing/canary.h"
#include "gateway/scoring/observation.h"

#include <gtest/gtest.h>

namespace switchyard {
namespace {

TEST(Names, OfSignalsAreThoseOfTheConfiguration) {
  ASSERT_EQ(std::size(config::kSignalsFields), static_cast<std::size_t>(scoring::kSignals));
  for (int i = 0; i < scoring::kSignals; ++i)
    EXPECT_EQ(config::kSignalsFields[i].name, scoring::name_of(static_cast<scoring::Signal>(i)));
}

TEST(Names, OfProbesAreThoseOfTheConfiguration) {
  ASSERT_EQ(std::size(config::kProbeFamilies), static_cast<std::size_t>(probing::kFamilies));
  for (int i = 0; i < probing::kFamilies; ++i)
    EXPECT_EQ(config::kProbeFamilies[i], probing::name_of(static_cast<probing::Family>(i)));
}

}  // namespace
}  // namespace switchyard
