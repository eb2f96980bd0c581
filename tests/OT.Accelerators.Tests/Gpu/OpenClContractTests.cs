using OT.Accelerators.Gpu.OpenCl;
using OT.Backends;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu;

/// <summary>The laws of back ends on an OpenCL device: in doubles, in floats, and in floats on a device that has nothing else.</summary>
public sealed class OpenClContractTests
{
    public enum Numbers
    {
        Doubles,
        Floats,
        FloatsAlone,
    }

    public static TheoryData<Numbers, string> Everything
    {
        get
        {
            var data = new TheoryData<Numbers, string>();
            foreach (Numbers numbers in Enum.GetValues<Numbers>())
            {
                // Floats alone are other types in the same kernels: one kind for each way through them is enough.
                foreach (string kind in numbers == Numbers.FloatsAlone ? ["doubles", "points2", "euclidean"] : OpenCl.Kinds)
                    data.Add(numbers, kind);
            }
            return data;
        }
    }

    static void Check(Numbers numbers, Action<BackendLaws> law)
    {
        using OpenClBackend backend = OpenCl.Open(numbers != Numbers.FloatsAlone);
        law(
            new BackendLaws(backend, numbers == Numbers.Doubles ? Precision.Float64 : Precision.Float32)
            {
                // A matrix bound in float is rounded to float, also for plans: an exponent C/ε by 2⁻²⁴ of its size. Without doubles all of a plan is.
                PlanRounding = numbers switch
                {
                    Numbers.Doubles => 1e-13,
                    Numbers.Floats => 1e-7,
                    _ => 1e-6,
                },
            }
        );
        Assert.Equal(0, backend.AllocatedBytes);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Soft_and_hard_minima_are_those_of_the_definition(Numbers numbers, string kind) =>
        Check(numbers, laws => laws.Minima(kind));

    [Theory]
    [MemberData(nameof(Everything))]
    public void Iterations_are_those_of_the_definition(Numbers numbers, string kind) =>
        Check(numbers, laws => laws.Iterations(kind));

    [Theory]
    [MemberData(nameof(Everything))]
    public void Plans_are_those_of_the_definition(Numbers numbers, string kind) => Check(numbers, laws => laws.Plans(kind));
}
