using OT.Accelerators.Gpu.Cuda;
using OT.Backends;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>The laws of back ends on CUDA, the kernels run by the fake driver: entries, arguments, sizes, order, graphs and arithmetic are those of a device.</summary>
[Collection(FakeCuda.Name)]
public sealed class CudaContractTests
{
    /// <summary>Work items that take turns on one thread are slow: each form of kernel once, unless there is time.</summary>
    static IEnumerable<string> Kinds =>
        Law.FullEffort ? OpenCl.Kinds : ["doubles", "floats", "points3", "euclidean", "forbidden"];

    public static TheoryData<Precision, string> Everything
    {
        get
        {
            var data = new TheoryData<Precision, string>();
            foreach (Precision precision in (ReadOnlySpan<Precision>)[Precision.Float64, Precision.Float32])
            {
                foreach (string kind in Kinds)
                    data.Add(precision, kind);
            }
            return data;
        }
    }

    static void Check(Precision precision, Action<BackendLaws> law)
    {
        using (var backend = new CudaBackend(FakeCuda.Driver()))
        {
            law(
                new BackendLaws(backend, precision)
                {
                    // A matrix bound in float is rounded to float, also for plans: an exponent C/ε by 2⁻²⁴ of its size.
                    PlanRounding = precision == Precision.Float64 ? 1e-13 : 1e-7,
                }
            );
            Assert.Equal(0, backend.AllocatedBytes);
        }
        FakeCuda.AssertNothingIsLeft();
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Soft_and_hard_minima_are_those_of_the_definition(Precision precision, string kind) =>
        Check(precision, laws => laws.Minima(kind));

    [Theory]
    [MemberData(nameof(Everything))]
    public void Iterations_are_those_of_the_definition(Precision precision, string kind) =>
        Check(precision, laws => laws.Iterations(kind));

    [Theory]
    [MemberData(nameof(Everything))]
    public void Plans_are_those_of_the_definition(Precision precision, string kind) => Check(precision, laws => laws.Plans(kind));
}
