#pragma once

namespace switchyard::local {

// Runs the parts of a job, perhaps at once. Used by one thread.
class Parallel {
 public:
  // Does part `part` of `parts` of the job behind `context`.
  using Part = void (*)(void* context, int part, int parts);

  virtual ~Parallel() = default;
  virtual int width() const = 0;  // How many parts run at once.
  // Returns when part(context, i, width()) has returned for every i below width().
  virtual void run(Part part, void* context) = 0;

  template <class Job>
  void run(Job& job) {
    run([](void* context, int part, int parts) { (*static_cast<Job*>(context))(part, parts); }, &job);
  }
};

class Serial : public Parallel {
 public:
  int width() const override { return 1; }

  using Parallel::run;

  void run(Part part, void* context) override { part(context, 0, 1); }
};

}  // namespace switchyard::local
